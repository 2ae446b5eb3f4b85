/* The system calls of the decoder process. */
#ifndef TONEWALL_MEMORY_SECCOMP_H
#define TONEWALL_MEMORY_SECCOMP_H

/* Confines all threads of this process, for good. 0 or -errno. */
int seccomp_confine(void);

#endif
