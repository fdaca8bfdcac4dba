/* Kernel modules of the initramfs, in the order in which the image's builder found they depend on each other. */
#ifndef SAW_GUEST_MODULE_H
#define SAW_GUEST_MODULE_H

/* Loads every file that `folder`/order names, one a line. A module that does not load is said and left out: what truly needed
 * it fails with a sentence of its own. */
void modules_load(const char *folder);

#endif
