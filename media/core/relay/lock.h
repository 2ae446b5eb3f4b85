/* The relay's lock, and its stack. */
#ifndef TONEWALL_RELAY_LOCK_H
#define TONEWALL_RELAY_LOCK_H

struct relay;

/* Takes the lock. The thread that has waited longest comes next: neither packets nor commands
 * starve the other. */
void relay_lock(struct relay *relay);
/* Lets the lock go. */
void relay_unlock(struct relay *relay);
/* Overwrites the stack below the caller: anything that the functions it called have left there. */
void relay_wipe_stack(void);

#endif
