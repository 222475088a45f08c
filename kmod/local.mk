# SPDX-License-Identifier: GPL-2.0-only
# The kernel module. Not part of `make`: `make kmod` builds it against configure's --with-kernel, in a folder of links,
# since the kernel's build writes beside what it compiles.
KMOD_FILES = \
	kmod/Kbuild \
	kmod/anchor.c \
	kmod/buffers.c \
	kmod/compat.h \
	kmod/consumer.c \
	kmod/control.c \
	kmod/device.c \
	kmod/events.c \
	kmod/events_fault.c \
	kmod/events_i.h \
	kmod/events_irq.c \
	kmod/events_sched.c \
	kmod/events_syscall.c \
	kmod/kernel.c \
	kmod/main.c \
	kmod/mappings.c \
	kmod/pages.c \
	kmod/process.c \
	kmod/refused.c \
	kmod/server.c \
	kmod/stream.c \
	kmod/stream_read.c \
	kmod/stream_wait.c \
	kmod/stream_wake.c \
	kmod/switch.c \
	kmod/weir_kmod.h \
	kmod/writer.c

EXTRA_DIST += $(KMOD_FILES) examples/kmod/weir_sample.c kmod/links kmod/test/nest.c kmod/test/weir_test.c include/weir/kernel.h

KMOD_DIR = $(abs_top_builddir)/kmod/links.d
KMOD_MAKE = $(MAKE) -C "$(WEIR_KERNEL)" M="$(KMOD_DIR)" W=1 KCFLAGS="$(WEIR_WERROR)"
dkmsdir = /usr/src/$(PACKAGE)-$(VERSION)

.PHONY: kmod kmod-clean install-dkms uninstall-dkms

kmod:
	@test -n "$(WEIR_KERNEL)" || { echo "make kmod: configure --with-kernel=DIR (a kernel's headers)" >&2; exit 1; }
	$(AM_V_GEN)$(SHELL) $(srcdir)/kmod/links $(abs_srcdir) $(KMOD_DIR) -t
	$(AM_V_at)+$(KMOD_MAKE) modules

kmod-clean:
	rm -rf $(KMOD_DIR)

# What `dkms add` takes. It is compiled where it is needed.
install-dkms:
	$(MKDIR_P) $(DESTDIR)$(dkmsdir)
	$(SHELL) $(srcdir)/kmod/links $(abs_srcdir) $(DESTDIR)$(dkmsdir) -c
	$(INSTALL_DATA) kmod/dkms.conf $(DESTDIR)$(dkmsdir)/dkms.conf

uninstall-dkms:
	rm -rf $(DESTDIR)$(dkmsdir)

clean-local: kmod-clean
