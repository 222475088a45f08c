// SPDX-License-Identifier: GPL-2.0-only
/* buf: text that grows while it is printed. An allocation that fails is remembered, and told
 * once at the end. */
#include "tree_i.h"

/* Room for `len` more bytes, and a NUL behind them; NULL if there is none. */
char *weir_buf_room(struct weir_buf *out, size_t len)
{
	size_t size = max(out->size * 2, (size_t)512);
	char *data;

	if (out->error)
		return NULL;
	if (out->size - out->len > len)
		return out->data + out->len;
	while (size - out->len <= len)
		size *= 2;
	data = realloc(out->data, size);
	if (!data) {
		out->error = -ENOMEM;
		return NULL;
	}
	out->data = data;
	out->size = size;
	return data + out->len;
}

void weir_buf_put(struct weir_buf *out, const void *data, size_t len)
{
	char *room = weir_buf_room(out, len);

	if (!room || !len) /* `data` may be NULL then */
		return;
	memcpy(room, data, len);
	out->len += len;
}

void weir_buf_printf(struct weir_buf *out, const char *format, ...)
{
	va_list ap;
	char *room;
	int len;

	va_start(ap, format);
	len = vsnprintf(NULL, 0, format, ap);
	va_end(ap);
	room = len < 0 ? NULL : weir_buf_room(out, len);
	if (!room)
		return;
	va_start(ap, format);
	out->len += vsnprintf(room, (size_t)len + 1, format, ap);
	va_end(ap);
}

void weir_buf_free(struct weir_buf *out)
{
	free(out->data);
	memset(out, 0, sizeof(*out));
}
