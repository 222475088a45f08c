/* SPDX-License-Identifier: LGPL-2.1-only */
/*
 * vfork: as libc's, and the child is marked.
 *
 * The child runs on its parent's stack and TLS, unregistered for rseq while the TLS shows the parent's CPU; its
 * parent's thread is suspended until it execs or exits. weir_client_thread.vforked, the second word there,
 * is the depth: raised before the call, set back by whoever is the parent on return (a child that was killed
 * with its own child has left it raised by two). While it is not zero events take the locked ring. The parent
 * returns when the child is gone, and frees the lock if the child died holding it.
 *
 * The return address is kept in a register, for the child overwrites the stack that it was on (as in glibc's
 * sysdeps/unix/sysv/linux/x86_64/vfork.S).
 */
#ifdef __x86_64__
	.text
	.globl	vfork
	.type	vfork, @function
	.p2align 4
vfork:
	.cfi_startproc
	endbr64
	popq	%rdi
	.cfi_adjust_cfa_offset -8
	.cfi_register %rip, %rdi
	movq	weir_client_thread@gottpoff(%rip), %rsi
	movl	%fs:4(%rsi), %edx	/* kept, as rdi and rsi are */
	addl	$1, %fs:4(%rsi)
	movl	$58, %eax		/* SYS_vfork */
	syscall
	pushq	%rdi
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rip, 0
	testl	%eax, %eax
	jz	1f
	movl	%edx, %fs:4(%rsi)	/* the parent, or nobody's child */
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	call	weir_fallback_vforked
	popq	%rax
	.cfi_adjust_cfa_offset -8
	cmpq	$-4095, %rax
	jae	2f
1:	ret
2:	negl	%eax
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	call	__errno_location@PLT
	popq	%rcx
	.cfi_adjust_cfa_offset -8
	movl	%ecx, (%rax)
	movq	$-1, %rax
	ret
	.cfi_endproc
	.size	vfork, . - vfork

	.globl	__vfork
	.set	__vfork, vfork
	.hidden	weir_client_thread
	.hidden	weir_fallback_vforked
#endif
	.section .note.GNU-stack, "", @progbits
