/* The power button, for a machine without a login manager: `saw-guest power` waits for it and lets systemd power off. */
#ifndef SAW_GUEST_POWER_H
#define SAW_GUEST_POWER_H

/* Never returns while input devices can be read; the exit status otherwise. */
int power_main(void);

#endif
