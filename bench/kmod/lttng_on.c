// SPDX-License-Identifier: GPL-2.0-only
/*
 * lttng_on EVENT: a flight recorder session of lttng-modules with that kernel event, straight
 * through its ioctls (its own abi.h), until standard input ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <lttng/abi.h>

static int call(const char *what, int fd, unsigned long request, void *arg)
{
	int ret = ioctl(fd, request, arg);

	if (ret < 0)
		fprintf(stderr, "lttng_on: %s: %s\n", what, strerror(errno));
	return ret;
}

int main(int argc, char **argv)
{
	struct lttng_kernel_abi_channel metadata = { .subbuf_size = 4096,
						     .num_subbuf = 2,
						     .output = LTTNG_KERNEL_ABI_MMAP };
	struct lttng_kernel_abi_channel memory = {
		.subbuf_size = 262144,
		.num_subbuf = 4,
		.output = LTTNG_KERNEL_ABI_MMAP,
		.overwrite = 1,
	};
	struct lttng_kernel_abi_event event = { .instrumentation = LTTNG_KERNEL_ABI_TRACEPOINT };
	int lttng = open("/proc/lttng", O_RDWR), session, channel, on;
	char c;

	if (argc != 2 || lttng < 0) {
		perror("lttng_on: /proc/lttng");
		return 1;
	}
	snprintf(event.name, sizeof(event.name), "%s", argv[1]);
	session = call("session", lttng, LTTNG_KERNEL_ABI_SESSION, NULL);
	if (session < 0 || call("metadata", session, LTTNG_KERNEL_ABI_METADATA, &metadata) < 0)
		return 1;
	channel = call("channel", session, LTTNG_KERNEL_ABI_CHANNEL, &memory);
	on = channel < 0 ? -1 : call("event", channel, LTTNG_KERNEL_ABI_EVENT, &event);
	if (on < 0 || call("enable", on, LTTNG_KERNEL_ABI_ENABLE, NULL) < 0 ||
	    call("start", session, LTTNG_KERNEL_ABI_SESSION_START, NULL) < 0)
		return 1;
	puts("on");
	fflush(stdout);
	while (read(0, &c, 1) > 0)
		;
	return 0;
}
