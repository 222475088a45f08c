// SPDX-License-Identifier: GPL-2.0-only
/*
 * control_file: writes the tracing control as it is before the first daemon, on stdout. The build
 * runs it; tmpfiles.d copies what it wrote to /run/weir/control at boot, so that programs which
 * start before the daemon have mapped the file that the daemon will use.
 */
#include <stdio.h>
#include <weir/abi.h>

int main(void)
{
	static struct weir_control control = {
		.magic = WEIR_CONTROL_MAGIC,
		.version = WEIR_ABI_VERSION,
		.size = sizeof(control),
	};

	return fwrite(&control, sizeof(control), 1, stdout) != 1 || fflush(stdout);
}
