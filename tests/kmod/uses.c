// SPDX-License-Identifier: GPL-2.0-only
/* uses: a little of all that the module can do, once, so that it has something to free when it is unloaded. */
#define _GNU_SOURCE
#include "device.h"

#define STRIDE 65536ul

int main(void)
{
	struct weir_dev_ring ring = { .cpu = 0 };
	struct weir_dev_subbuf subbuf;
	struct weir_dev_process p;
	static char data[STRIDE];
	const volatile char *view;
	struct attach a;
	int consumer, stream;
	unsigned int i;

	serve();
	ring.epoch = put_trace(0, 13, 3, 0);
	config.slot[1].kernel = 1; /* rings of the kernel's own */
	put_trace(1, 12, 1, 0);
	if (attach(&a, STRIDE))
		bail("attach");
	for (i = 0; i < STRIDE; i += PAGE)
		*(volatile uint32_t *)(bytes_of(&a, 0, 0) + i) = WEIR_CTF_MAGIC;
	ring_of(a.process, 0, 0)->epoch = ring.epoch;
	ring_of(a.process, 0, 0)->claim = 3 << 13;
	ring_of(a.process, 0, 0)->position = (2 << 13) + 100;
	consumer = next_process(getpid(), &p);
	view = region(consumer, WEIR_DEV_BUFFERS, buffers_size(STRIDE), PROT_READ);
	stream = ioctl(consumer, WEIR_IOC_STREAM, &ring);
	if (consumer < 0 || view == MAP_FAILED || !view[0] || stream < 0 || ioctl(stream, WEIR_IOC_SUBBUF_GET, &subbuf) ||
	    ioctl(stream, WEIR_IOC_SUBBUF_PUT, &subbuf) || read(stream, data, sizeof(data)) < 0)
		bail("use");
	put_trace(0, 12, 2, 0);
	return 0; /* everything is open */
}
