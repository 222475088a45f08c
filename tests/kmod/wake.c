// SPDX-License-Identifier: GPL-2.0-only
/*
 * wake: who waits for packets of the kernel is woken by who writes them: where rings are looked at
 * once an hour, a poll, an epoll by edges and a read return all the same. Serves /dev/weir.
 */
#define _GNU_SOURCE
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/syscall.h>

#include "kernel.h"

#define SHIFT 13
#define SUBBUF (1ul << SHIFT)
#define HANG_MS 120000 /* a guard */

static int stream_of(unsigned int cpu, uint64_t epoch)
{
	struct weir_dev_ring ring = { .cpu = cpu, .epoch = epoch };
	int fd = ioctl(kernel_fd, WEIR_IOC_STREAM, &ring);

	if (fd < 0)
		bail("stream");
	return fd;
}

static uint64_t kernel_trace(void)
{
	uint64_t epoch;

	config.slot[0].kernel = ~0ull;
	epoch = put_trace(0, SHIFT, 4, WEIR_EPOCH_TID);
	return epoch;
}

static short readiness(int fd, int ms)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	poll(&pfd, 1, ms);
	return pfd.revents;
}

/* Has system calls on one CPU until it is killed. */
static pid_t calls(unsigned int cpu)
{
	cpu_set_t set;
	pid_t pid = fork();

	if (pid)
		return pid;
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
	for (;;)
		syscall(SYS_getppid);
}

static void ends_well(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void edges(int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int ep = epoll_create1(EPOLL_CLOEXEC), n, told = 0;

	epoll_ctl(ep, EPOLL_CTL_ADD, fd, &event);
	/* nothing is consumed: each is another packet's */
	for (n = 0; n < 20; n++)
		told += epoll_wait(ep, &event, 1, HANG_MS) == 1;
	is_u64("epoll: an edge with each packet", (uint64_t)told, 20);
	close(ep);
}

static void wakes(unsigned int cpu)
{
	static char packet[SUBBUF];
	uint64_t epoch = kernel_trace();
	int fd = stream_of(cpu, epoch), n, whole = 0;
	pid_t pid = calls(cpu);

	ok(readiness(fd, HANG_MS) == POLLIN, "CPU %u: poll", cpu);
	edges(fd);
	/* each read waits for the writer, who is not as fast */
	for (n = 0; n < 100; n++)
		whole += read(fd, packet, sizeof(packet)) == (ssize_t)SUBBUF;
	is_u64("read", (uint64_t)whole, 100);
	ends_well(pid);
	close(fd);
}

/* What is waited for will not come: the trace goes. */
static void goes(void)
{
	uint64_t epoch;
	struct pollfd pfd = { .events = POLLIN };
	pid_t pid;

	config.slot[0].kernel = 0;
	epoch = put_trace(0, SHIFT, 4, 0);
	pfd.fd = stream_of(0, epoch);
	pid = fork();
	if (!pid)
		_exit(poll(&pfd, 1, HANG_MS) == 1 && pfd.revents & POLLHUP ? 0 : 1);
	usleep(100000); /* most often it waits by then; it need not */
	take_trace(0);
	ok(waitpid(pid, &pfd.fd, 0) == pid && !pfd.fd, "the trace goes: POLLHUP");
}

/* The ring behind the last CPU's has no writer in the kernel; who waits for it is looked after. */
static void of_no_cpu(void)
{
	int fd = stream_of(nr_cpus, kernel_trace());

	ok(!readiness(fd, 10), "the ring of no CPU: nothing");
	close(fd);
}

int main(void)
{
	unsigned int cpu;

	parameter_set("poll_ms", 3600000);
	serve();
	kernel_open();
	for (cpu = 0; cpu < 2 && cpu < nr_cpus; cpu++)
		wakes(cpu);
	of_no_cpu();
	goes();
	parameter_set("poll_ms", 20);
	return tap_end();
}
