/* SPDX-License-Identifier: LGPL-2.1-only */
/* glob: pure. `end` is behind the pattern, `s_end` behind the text. */
#ifndef WEIR_GLOB_H
#define WEIR_GLOB_H

#include "env.h"

bool weir_glob(const char *p, const char *end, const char *s, const char *s_end);
/* Takes the next word that ends at one of `separators`; NULL at the end of the text. */
const char *weir_next_word(const char **text, const char *separators, const char **end);
bool weir_rules_match(const char *rules, const char *name, size_t len);
bool weir_rules_match_kernel(const char *rules, const char *name, size_t len);

#endif /* WEIR_GLOB_H */
