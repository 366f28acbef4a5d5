/*
 * A clock that a test can set: a server that preloads it with LD_PRELOAD is so many seconds ahead as the
 * file of CLOCK_OFFSET says, a number of 64 bits. It is read where signals are handled, so nothing is allocated.
 * The monotonic clock, by which a process waits, stays right.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *offset = NULL;

__attribute__((constructor)) static void
attach(void)
{
	const char *path = getenv("CLOCK_OFFSET");
	int			file = path == NULL ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	void	   *mapped;

	if (file < 0)
		abort();
	mapped = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
	close(file);
	if (mapped == MAP_FAILED)
		abort();
	offset = mapped;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
	int			result = syscall(SYS_clock_gettime, clock, now);

	/* Other libraries may ask before this one is attached. */
	if (result == 0 && offset != NULL && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		now->tv_sec += *offset;
	return result;
}

int
gettimeofday(struct timeval *restrict now, void *restrict zone)
{
	struct timespec exact;

	if (clock_gettime(CLOCK_REALTIME, &exact) != 0)
		return -1;
	now->tv_sec = exact.tv_sec;
	now->tv_usec = exact.tv_nsec / 1000;
	return 0;
}

time_t
time(time_t *now)
{
	struct timespec exact;

	clock_gettime(CLOCK_REALTIME, &exact);
	if (now != NULL)
		*now = exact.tv_sec;
	return exact.tv_sec;
}
