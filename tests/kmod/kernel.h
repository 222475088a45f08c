/* SPDX-License-Identifier: GPL-2.0-only */
/* kernel.h: the kernel's own source, as a consumer sees it. Behind device.h. */
#ifndef WEIR_TEST_KERNEL_H
#define WEIR_TEST_KERNEL_H

#include "device.h"
#include "weir_ring.h"
#include "weir_schema.h"

static int kernel_fd;
static struct weir_process *kernel_process; /* read only */
static const unsigned char *kernel_bytes;
static uint64_t kernel_stride;
static struct weir_schemas kernel_schemas;

/* What has come to the schema log since the last time. */
static inline void kernel_classes(void)
{
	size_t bytes = smp_load_acquire(&kernel_process->schema_bytes);
	const char *log = (const char *)kernel_process + kernel_process->schema_offset;

	if (weir_schemas_parse(&kernel_schemas, log + kernel_schemas.bytes, bytes - kernel_schemas.bytes))
		bail("schema log");
}

static inline void kernel_open(void)
{
	struct weir_dev_process process = { .id = WEIR_DEV_KERNEL_ID };
	size_t size;

	kernel_fd = ioctl(server_fd, WEIR_IOC_PROCESS, &process);
	if (kernel_fd < 0)
		bail("the kernel's source");
	kernel_stride = process.ring_stride;
	size = buffers_size(kernel_stride);
	kernel_process = region(kernel_fd, WEIR_DEV_PROCESS, process_size(), PROT_READ);
	kernel_bytes = mmap(NULL, size, PROT_READ, MAP_SHARED | MAP_NORESERVE, kernel_fd, WEIR_DEV_BUFFERS);
	if (kernel_process == MAP_FAILED || kernel_bytes == MAP_FAILED)
		bail("mmap");
	kernel_classes();
}

static inline const struct weir_class *kernel_class(const char *name)
{
	unsigned int i;

	for (i = 0; i < kernel_schemas.count; i++)
		if (!strcmp(weir_schemas_class(&kernel_schemas, i)->name, name))
			return weir_schemas_class(&kernel_schemas, i);
	return NULL;
}

static inline const unsigned char *kernel_ring_bytes(unsigned int slot, unsigned int cpu)
{
	return kernel_bytes + weir_ring_index(nr_cpus, slot, cpu) * kernel_stride;
}

#endif /* WEIR_TEST_KERNEL_H */
