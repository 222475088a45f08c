// SPDX-License-Identifier: GPL-2.0-only
/*
 * mappings: pages of the three regions, given to whoever touches them.
 *
 * A page table holds its own reference to a page, so a page outlives whatever let go of it. What
 * must not happen is that a page is put into a page table after it was taken out of them all.
 * Therefore whoever faults finds the page with source->lock held, and locks the page before that is
 * dropped; mm/ unlocks it when it is in the page table:
 *
 *   fault     source->lock { find the page; lock it } ... into the page table ... unlocked
 *   take      source->lock { unlink } wait while the page is locked; unmap; let go
 *
 * A process never fails to get a page of its regions: where there is none to be had, or nothing
 * belongs there, it gets the sink, a page of its own that nobody reads. A consumer gets zeros,
 * until there is a page.
 *
 * Partial munmap, mprotect and mremap are refused: a region is there as a whole or not at all.
 */
#include <linux/mount.h>
#include <linux/pagemap.h>
#include <linux/pseudo_fs.h>
#include <linux/vmalloc.h>

#include "weir_kmod.h"

#define WEIR_INODES_MAGIC 0x72696577 /* "weir" */

static struct page *weir_zero;
static struct vfsmount *weir_mount;
static atomic_long_t weir_sunk;
weir_counter(sunk, weir_sunk, "pages for which a process got the sink");

/* Whose i_mapping has the mappings of one source, so that a page is taken out of those alone. */
struct inode *weir_inode(void)
{
	return alloc_anon_inode(weir_mount->mnt_sb);
}

/* ---- faults ---------------------------------------------------------------------------------- */

/* Context: source->lock. */
static vm_fault_t weir_fault_give(struct vm_fault *vmf, struct page *page)
{
	get_page(page);
	lock_page(page);
	vmf->page = page;
	return VM_FAULT_LOCKED;
}

static u64 weir_fault_offset(const struct vm_fault *vmf)
{
	return (u64)vmf->pgoff << PAGE_SHIFT;
}

static struct page *weir_buffers_page(struct weir_source *source, u64 offset)
{
	struct weir_buffer *buffer;
	unsigned int slot, cpu;
	struct page *page;
	size_t in;

	weir_buffers_place(source, offset, &slot, &cpu, &in);
	buffer = weir_buffer_at(source, weir_ring_index(weir_nr_cpus(), slot, cpu));
	if (!buffer) {
		buffer = weir_buffer_make(source, slot, cpu);
		if (buffer)
			weir_buffer_begin(buffer);
	}
	if (!buffer || in >= buffer->relay.size)
		return NULL;
	page = weir_buffer_populate(buffer, in);
	if (!page)
		weir_buffer_refuse(buffer, in);
	return page;
}

static vm_fault_t weir_process_fault(struct vm_fault *vmf)
{
	struct weir_source *source = vmf->vma->vm_private_data;
	u64 offset = weir_fault_offset(vmf);
	bool buffers = offset >= WEIR_DEV_BUFFERS;
	struct page *page;
	vm_fault_t ret;

	mutex_lock(&source->lock);
	if (buffers)
		page = weir_buffers_page(source, offset - WEIR_DEV_BUFFERS);
	else
		page = weir_source_page(source, (offset - WEIR_DEV_PROCESS) >> PAGE_SHIFT);
	if (!page) {
		page = source->sink[buffers];
		source->sunk |= !buffers;
		atomic_long_inc(&weir_sunk);
	}
	ret = weir_fault_give(vmf, page);
	mutex_unlock(&source->lock);
	return ret;
}

static struct page *weir_view_page(const struct weir_view *view, u64 offset)
{
	struct weir_source *source = view->source;
	struct weir_buffer *buffer;
	unsigned int slot, cpu;
	size_t in;

	if (offset < WEIR_DEV_BUFFERS)
		return weir_pages_get(&source->process, (offset - WEIR_DEV_PROCESS) >> PAGE_SHIFT);
	weir_buffers_place(source, offset - WEIR_DEV_BUFFERS, &slot, &cpu, &in);
	buffer = weir_buffer_at(source, weir_ring_index(weir_nr_cpus(), slot, cpu));
	if (!buffer || (view->epoch && buffer->epoch != view->epoch))
		return NULL;
	return weir_buffer_page(buffer, in);
}

static vm_fault_t weir_view_fault(struct vm_fault *vmf)
{
	const struct weir_view *view = vmf->vma->vm_private_data;
	vm_fault_t ret;

	mutex_lock(&view->source->lock);
	ret = weir_fault_give(vmf, weir_view_page(view, weir_fault_offset(vmf)) ?: weir_zero);
	mutex_unlock(&view->source->lock);
	return ret;
}

/* The control is there as long as the module. */
static vm_fault_t weir_control_fault(struct vm_fault *vmf)
{
	vmf->page = vmalloc_to_page((char *)weir_control + weir_fault_offset(vmf));
	get_page(vmf->page);
	return 0;
}

/* ---- what may be done with a mapping --------------------------------------------------------- */

static int weir_vm_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

static int weir_vm_move(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/* A child's, or a move that is refused in the next step: where one was, there is no end yet. */
static void weir_process_vm_open(struct vm_area_struct *vma)
{
	struct weir_source *source = vma->vm_private_data;

	atomic_inc(&source->mappings);
}

static void weir_process_vm_close(struct vm_area_struct *vma)
{
	weir_source_unmap(vma->vm_private_data);
}

static void weir_view_vm_open(struct vm_area_struct *vma)
{
	const struct weir_view *view = vma->vm_private_data;

	atomic_inc(&view->source->views);
}

static void weir_view_vm_close(struct vm_area_struct *vma)
{
	const struct weir_view *view = vma->vm_private_data;

	atomic_dec(&view->source->views);
}

static const struct vm_operations_struct weir_control_vm_ops = {
	.fault = weir_control_fault,
	.may_split = weir_vm_split,
	.mremap = weir_vm_move,
};

static const struct vm_operations_struct weir_process_vm_ops = {
	.open = weir_process_vm_open,
	.close = weir_process_vm_close,
	.fault = weir_process_fault,
	.may_split = weir_vm_split,
	.mremap = weir_vm_move,
};

static const struct vm_operations_struct weir_view_vm_ops = {
	.open = weir_view_vm_open,
	.close = weir_view_vm_close,
	.fault = weir_view_fault,
	.may_split = weir_vm_split,
	.mremap = weir_vm_move,
};

/* ---- mmap ------------------------------------------------------------------------------------ */

static u64 weir_vm_offset(const struct vm_area_struct *vma)
{
	return (u64)vma->vm_pgoff << PAGE_SHIFT;
}

static u64 weir_vm_size(const struct vm_area_struct *vma)
{
	return vma->vm_end - vma->vm_start;
}

/* Whether a mapping may be had at all; a read-only one can never be made writable. */
static int weir_vm_check(struct vm_area_struct *vma, bool writable)
{
	if (!(vma->vm_flags & VM_MAYSHARE))
		return -EINVAL;
	if (vma->vm_flags & VM_EXEC)
		return -EPERM;
	if (!writable && vma->vm_flags & VM_WRITE)
		return -EPERM;
	return 0;
}

static void weir_vm_settle(struct vm_area_struct *vma, const struct vm_operations_struct *ops,
			   void *priv, bool writable)
{
	vm_flags_clear(vma, writable ? VM_MAYEXEC : VM_MAYEXEC | VM_MAYWRITE);
	vm_flags_set(vma, VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_private_data = priv;
	vma->vm_ops = ops;
}

/* What a mapping of the buffers says of the ring's stride; 0: it is none. */
static u64 weir_vm_stride(const struct vm_area_struct *vma)
{
	u64 size = weir_vm_size(vma), stride = size / weir_nr_rings();

	if (size % weir_nr_rings() || !is_power_of_2(stride) ||
	    stride > 1ull << WEIR_RING_SHIFT_MAX ||
	    stride < 1ull << (WEIR_SUBBUF_SHIFT_MIN + WEIR_COUNT_SHIFT_MIN))
		return 0;
	return stride;
}

/**
 * weir_map_control() - map the tracing control
 * @vma: of mmap()
 *
 * Return: 0; -EINVAL private, or of another size; -EPERM writable, or executable.
 */
int weir_map_control(struct vm_area_struct *vma)
{
	int err = weir_vm_check(vma, false);

	if (err)
		return err;
	if (weir_vm_size(vma) != PAGE_ALIGN(sizeof(struct weir_control)))
		return -EINVAL;
	weir_vm_settle(vma, &weir_control_vm_ops, NULL, false);
	return 0;
}

/* Whether a mapping is one of a process's two regions, before a source is made. 0 or -errno. */
int weir_map_process_check(struct vm_area_struct *vma)
{
	int err = weir_vm_check(vma, true);

	if (err)
		return err;
	if (!(vma->vm_file->f_mode & FMODE_WRITE))
		return -EACCES;
	if (weir_vm_offset(vma) == WEIR_DEV_PROCESS)
		return weir_vm_size(vma) == weir_process_size() ? 0 : -EINVAL;
	return weir_vm_stride(vma) ? 0 : -EINVAL;
}

/**
 * weir_map_process() - map one of a process's two regions
 * @source: the process
 * @vma: of mmap(), for which weir_map_process_check() said 0
 *
 * Return: 0; -EINVAL the buffers are mapped with another size; -EBADFD the source has ended.
 */
int weir_map_process(struct weir_source *source, struct vm_area_struct *vma)
{
	int err = weir_source_map(source);

	if (!err && weir_vm_offset(vma) == WEIR_DEV_BUFFERS) {
		err = weir_source_attach(source, weir_vm_stride(vma));
		if (err)
			weir_source_unmap(source);
	}
	if (!err)
		weir_vm_settle(vma, &weir_process_vm_ops, source, true);
	return err;
}

static int weir_map_view_at(const struct weir_view *view, struct vm_area_struct *vma, u64 offset,
			    u64 size)
{
	int err = weir_vm_check(vma, false);

	if (err)
		return err;
	if (!size || weir_vm_size(vma) != size)
		return -EINVAL;
	vma->vm_pgoff = offset >> PAGE_SHIFT;
	weir_vm_settle(vma, &weir_view_vm_ops, (void *)view, false);
	atomic_inc(&view->source->views);
	return 0;
}

/**
 * weir_map_view() - map a consumer's region, or its one ring, read-only
 * @view: of a descriptor, lives as long as that
 * @vma: of mmap()
 *
 * Return: 0; -EINVAL private, no region, or of another size; -EPERM writable, or executable.
 */
int weir_map_view(const struct weir_view *view, struct vm_area_struct *vma)
{
	struct weir_source *source = view->source;
	u64 offset = weir_vm_offset(vma);

	if (view->epoch && !offset)
		return weir_map_view_at(view, vma,
					weir_buffers_offset(source, view->slot, view->cpu),
					weir_epoch_ring_size(view->epoch));
	if (view->epoch)
		return -EINVAL;
	if (offset == WEIR_DEV_PROCESS)
		return weir_map_view_at(view, vma, offset, weir_process_size());
	if (offset == WEIR_DEV_BUFFERS)
		return weir_map_view_at(view, vma, offset, weir_nr_rings() * source->stride);
	return -EINVAL;
}

/* ---- out of the page tables ------------------------------------------------------------------ */

/* Consumers look again at what is there. Context: may sleep. */
void weir_zap_view(struct weir_source *source, u64 offset, u64 size)
{
	if (!atomic_read(&source->views))
		return;
	wait_on_page_locked(weir_zero);
	unmap_mapping_range(source->view->i_mapping, offset, size, 1);
}

/* The process looks again. Context: may sleep. */
void weir_zap_process(struct weir_source *source, u64 offset, u64 size)
{
	if (source->inode && atomic_read(&source->mappings))
		unmap_mapping_range(source->inode->i_mapping, offset, size, 1);
}

/* Nobody has pages of a slot's rings any more. Context: may sleep. */
void weir_zap_slot(struct weir_source *source, unsigned int slot)
{
	u64 size = (weir_nr_cpus() + 1) * READ_ONCE(source->stride);

	if (!size)
		return;
	weir_zap_process(source, WEIR_DEV_BUFFERS + slot * size, size);
	weir_zap_view(source, WEIR_DEV_BUFFERS + slot * size, size);
}

/* The process looks again for its rings' words. The log and its head stay: what it has said there is said. */
void weir_zap_words(struct weir_source *source)
{
	weir_zap_process(source, WEIR_DEV_PROCESS + WEIR_RINGS_OFFSET,
			 weir_schema_offset(weir_nr_cpus()) - WEIR_RINGS_OFFSET);
}

/* ---- load, unload ---------------------------------------------------------------------------- */

static int weir_inodes_init(struct fs_context *fc)
{
	return init_pseudo(fc, WEIR_INODES_MAGIC) ? 0 : -ENOMEM;
}

/* No owner: with one, the mount would keep the module for ever. */
static struct file_system_type weir_inodes = {
	.name = "weir",
	.init_fs_context = weir_inodes_init,
	.kill_sb = kill_anon_super,
};

void weir_mappings_exit(void)
{
	kern_unmount(weir_mount);
	weir_page_free(NULL, weir_zero);
}

int weir_mappings_init(void)
{
	weir_zero = weir_page_alloc(NULL, NUMA_NO_NODE);
	if (!weir_zero)
		return -ENOMEM;
	weir_mount = kern_mount(&weir_inodes);
	if (!IS_ERR(weir_mount))
		return 0;
	weir_page_free(NULL, weir_zero);
	return PTR_ERR(weir_mount);
}
