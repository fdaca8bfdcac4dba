/* `saw image`: the verbs around images of machines. None of them needs the control plane. */
#ifndef SAW_CLI_IMAGE_H
#define SAW_CLI_IMAGE_H

#include "base/buf.h"
#include "cli/verb.h"
#include "store/images.h"

/* argv[0] is "image". */
int cli_image(int argc, char **argv);

/* Options of `image build`, in the order of its table. */
enum { IMAGE_BUILD_NAME, IMAGE_BUILD_MIRROR, IMAGE_BUILD_JSON };
int image_build_run(const struct cli_args *a);

/* Appends an image as the API shows it, and a line end. */
bool image_put_json(struct buf *out, const struct image *i);

#endif
