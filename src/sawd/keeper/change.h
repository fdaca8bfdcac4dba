/* Changes of secrets on their way: checked and held, until core has written them down in the audit log and says go. */
#ifndef SAW_SAWD_KEEPER_CHANGE_H
#define SAW_SAWD_KEEPER_CHANGE_H

#include "ipc/sawd_row.h"
#include "sawd/keeper/safe.h"
#include "wire/credential.h"

enum { CHANGES_MAX = 8 };

struct change {
	bool used;
	uint64_t req; /* core's number for it */
	enum sawd_secret_op op;
	char owner[SAFE_OWNER_MAX + 1];
	char id[CREDENTIAL_ID_MAX + 1];
	struct safe_info info; /* as it will be; of what is removed */
	struct secret *value; /* NULL: it is removed */
};

struct changes {
	struct safe *safe;
	struct change slots[CHANGES_MAX];
};

/* What was asked for, and whether it can be done. The value is read from `fd` (sealed memory, borrowed; -1 for a removal). `ret` is the
 * held change when the answer is SAWD_SECRET_OK; `e` has the sentence of a refusal. */
enum sawd_secret_answer change_prepare(struct changes *c, uint64_t req, enum sawd_secret_op op, struct bytes owner, struct bytes id,
				       int fd, struct change **ret, struct err *e);
/* The held change with this number, or NULL. */
struct change *change_find(struct changes *c, uint64_t req);
/* Makes it: on disk when it returns 0. Somebody else's change in between is -EAGAIN. */
int change_make(struct changes *c, struct change *k, struct err *e);
/* Lets go of it, wiped. */
void change_drop(struct change *k);
void changes_drop_all(struct changes *c);

#endif
