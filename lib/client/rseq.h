/* SPDX-License-Identifier: LGPL-2.1-only */
/* rseq.h: the sections of this architecture; without them every thread takes the locked ring. */
#ifndef WEIR_RSEQ_H
#define WEIR_RSEQ_H

#if defined(__x86_64__) && !defined(WEIR_NO_RSEQ)
#include "rseq_x86_64.h"
#endif

#endif /* WEIR_RSEQ_H */
