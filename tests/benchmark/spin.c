/* Keeps one core from halting while giving way to everything else: SCHED_IDLE and an endless loop.
 * A halted virtual core takes some 200 us to wake, which would hide what is being measured. usage: spin CORE */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    cpu_set_t cores;
    struct sched_param none = {0};
    CPU_ZERO(&cores);
    CPU_SET(argc > 1 ? atoi(argv[1]) : 0, &cores);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() == 1 || sched_setaffinity(0, sizeof cores, &cores) < 0 || sched_setscheduler(0, SCHED_IDLE, &none) < 0)
        return 1;
    for (volatile unsigned long turns = 0;; turns++) {
    }
}
