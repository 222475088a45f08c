// SPDX-License-Identifier: LGPL-2.1-only
/*
 * relay_heap: frames on the heap, one allocation a page. `priv` is the frame's size.
 */
#include "weir_relay.h"

static void *weir_relay_heap_byte(void *priv, void *page, size_t offset)
{
	return (char *)page + (offset & ((size_t)priv - 1));
}

static void *weir_relay_heap_populate(void *priv, size_t offset)
{
	(void)offset;
	return weir_alloc((size_t)priv);
}

static void weir_relay_heap_release(void *priv, void *page)
{
	(void)priv;
	weir_free(page);
}

static int weir_relay_heap_write(void *priv, void *page, size_t offset, const void *src, size_t len)
{
	memcpy(weir_relay_heap_byte(priv, page, offset), src, len);
	return 0;
}

static int weir_relay_heap_read(void *priv, void *page, size_t offset, void *dst, size_t len)
{
	memcpy(dst, weir_relay_heap_byte(priv, page, offset), len);
	return 0;
}

static void *weir_relay_heap_address(void *priv, void *page)
{
	(void)priv;
	return page;
}

const struct weir_relay_ops weir_relay_heap = {
	.populate = weir_relay_heap_populate,
	.release = weir_relay_heap_release,
	.write = weir_relay_heap_write,
	.read = weir_relay_heap_read,
	.address = weir_relay_heap_address,
};
