/* What the compiler does for whoever asks: policy text to a sealed blob, and a bundle to what is known about it. */
#ifndef SAW_COMPILER_WORK_H
#define SAW_COMPILER_WORK_H

#include "ipc/chan.h"

/* COMPILE and CHECK, from behind their request number; answers on `to`. False: malformed. */
bool work_compile(struct chan *to, struct msg_in *in);
bool work_check(struct chan *to, struct msg_in *in);

#endif
