// SPDX-License-Identifier: GPL-2.0-only
/*
 * device: /dev/weir. What a descriptor of it can do, as tables of regions and of ioctls.
 *
 * A descriptor is a traced process's, or the server's (server.c), or neither yet. Everybody may
 * open it: tracing harms nobody, and limits are pages.c's.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "weir_kmod.h"

struct weir_file {
	struct mutex lock;	    /* while the source is made */
	struct inode *inode;	    /* of mappings through it */
	struct weir_source *source; /* once one of its regions was mapped */
};

/* ---- mmap -------------------------------------------------------------------------------------*/

/* The descriptor's source, made if need be. It stays as long as the descriptor. */
static struct weir_source *weir_file_source(struct weir_file *wf)
{
	struct weir_source *source;

	mutex_lock(&wf->lock);
	source = wf->source;
	if (!source) {
		source = weir_source_create(wf->inode, false);
		if (!IS_ERR(source))
			wf->source = source;
	}
	mutex_unlock(&wf->lock);
	return source;
}

static int weir_file_map_control(struct weir_file *wf, struct vm_area_struct *vma)
{
	return weir_map_control(vma);
}

static int weir_file_map_process(struct weir_file *wf, struct vm_area_struct *vma)
{
	struct weir_source *source;
	int err = weir_map_process_check(vma);

	if (err)
		return err;
	source = weir_file_source(wf);
	return IS_ERR(source) ? PTR_ERR(source) : weir_map_process(source, vma);
}

static const struct weir_region {
	u64 offset;
	int (*map)(struct weir_file *wf, struct vm_area_struct *vma);
} weir_regions[] = {
	{ WEIR_DEV_CONTROL, weir_file_map_control },
	{ WEIR_DEV_PROCESS, weir_file_map_process },
	{ WEIR_DEV_BUFFERS, weir_file_map_process },
};

static int weir_device_mmap(struct file *file, struct vm_area_struct *vma)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(weir_regions); i++)
		if (weir_regions[i].offset == (u64)vma->vm_pgoff << PAGE_SHIFT)
			return weir_regions[i].map(file->private_data, vma);
	return -EINVAL;
}

/* ---- ioctl ------------------------------------------------------------------------------------*/

/* A traced process's own ring. */
static long weir_device_switch(struct file *file, struct weir_call *call)
{
	struct weir_file *wf = file->private_data;
	struct weir_source *source;

	mutex_lock(&wf->lock);
	source = wf->source;
	mutex_unlock(&wf->lock);
	return source ? weir_switch(source, &call->ring) : -EINVAL;
}

static const struct weir_ioctl weir_device_ioctls[] = {
	{ WEIR_IOC_SERVE, weir_server_serve },
	{ WEIR_IOC_PROCESS, weir_server_process },
	{ WEIR_IOC_SWITCH, weir_device_switch },
	{},
};

/* A call that makes a descriptor returns its number: installed when nothing can fail any more. */
static long weir_ioctl_finish(struct weir_call *call, long ret, bool failed)
{
	if (!call->made)
		return failed ? -EFAULT : ret;
	if (failed) {
		fput(call->made);
		put_unused_fd(ret);
		return -EFAULT;
	}
	fd_install(ret, call->made);
	return ret;
}

/**
 * weir_ioctl() - find an ioctl in a table, copy its argument in and out
 * @table: ends with a row of no function
 * @file: of the call
 * @cmd: of the call
 * @arg: of the call
 *
 * Return: what the function returned; -ENOTTY, -EFAULT.
 */
long weir_ioctl(const struct weir_ioctl *table, struct file *file, unsigned int cmd,
		unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct weir_call call = {};
	bool failed;
	long ret;

	while (table->run && table->cmd != cmd)
		table++;
	if (!table->run)
		return -ENOTTY;
	if (_IOC_DIR(cmd) & _IOC_WRITE && copy_from_user(&call, user, _IOC_SIZE(cmd)))
		return -EFAULT;
	ret = table->run(file, &call);
	if (ret < 0)
		return ret;
	failed = _IOC_DIR(cmd) & _IOC_READ && copy_to_user(user, &call, _IOC_SIZE(cmd));
	return weir_ioctl_finish(&call, ret, failed);
}

/**
 * weir_descriptor() - make a descriptor of something of a source's
 * @call: of the ioctl that returns it
 * @name: shown in /proc
 * @fops: what it can do
 * @priv: its private_data
 * @source: whose consumers' mappings its mappings are
 *
 * Return: its number, not installed yet, or -errno.
 */
int weir_descriptor(struct weir_call *call, const char *name, const struct file_operations *fops,
		    void *priv, struct weir_source *source)
{
	int fd = get_unused_fd_flags(O_CLOEXEC);
	struct file *file;

	if (fd < 0)
		return fd;
	file = anon_inode_getfile(name, fops, priv, O_RDONLY);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		return PTR_ERR(file);
	}
	file->f_mapping = source->view->i_mapping;
	call->made = file;
	return fd;
}

static long weir_device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return weir_ioctl(weir_device_ioctls, file, cmd, arg);
}

/* ---- read, write, poll: the server's ----------------------------------------------------------*/

static ssize_t weir_device_read(struct file *file, char __user *to, size_t size, loff_t *pos)
{
	return weir_server_read(file, to, size);
}

static ssize_t weir_device_write(struct file *file, const char __user *from, size_t size,
				 loff_t *pos)
{
	return weir_server_write(file, from, size);
}

static __poll_t weir_device_poll(struct file *file, poll_table *wait)
{
	return weir_server_poll(file, wait);
}

/* ---- open, release ----------------------------------------------------------------------------*/

/*
 * The inode comes with the descriptor: what is mapped through a file is found by its f_mapping,
 * which must not change as long as something is.
 */
static int weir_device_open(struct inode *inode, struct file *file)
{
	struct weir_file *wf = kzalloc(sizeof(*wf), WEIR_GFP);

	if (!wf)
		return -ENOMEM;
	wf->inode = weir_inode();
	if (IS_ERR(wf->inode)) {
		int err = PTR_ERR(wf->inode);

		kfree(wf);
		return err;
	}
	mutex_init(&wf->lock);
	file->private_data = wf;
	file->f_mapping = wf->inode->i_mapping;
	file->f_mode |= FMODE_NOCMTIME; /* faults are no writes of the file's */
	return nonseekable_open(inode, file);
}

static int weir_device_release(struct inode *inode, struct file *file)
{
	struct weir_file *wf = file->private_data;

	weir_server_release(file);
	if (wf->source) {
		weir_source_closed(wf->source);
		weir_source_put(wf->source);
	}
	file->f_mapping = inode->i_mapping;
	iput(wf->inode);
	kfree(wf);
	return 0;
}

static const struct file_operations weir_device_fops = {
	.owner = THIS_MODULE,
	.open = weir_device_open,
	.release = weir_device_release,
	.mmap = weir_device_mmap,
	.read = weir_device_read,
	.write = weir_device_write,
	.poll = weir_device_poll,
	.unlocked_ioctl = weir_device_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice weir_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "weir",
	.fops = &weir_device_fops,
	.mode = 0666,
};

int weir_device_init(void)
{
	return misc_register(&weir_device);
}

void weir_device_exit(void)
{
	misc_deregister(&weir_device);
}
