// SPDX-License-Identifier: GPL-2.0-only
/*
 * kernel_events: serves /dev/weir, does what each of the kernel's events tells of, and finds it in
 * the rings, with what its fields have to say. Then events of other modules: weir_sample's, and
 * more than there are bits.
 *
 *   kernel_events DIRECTORY-OF-MODULES
 */
#include <sched.h>
#include <sys/syscall.h>

#include "kernel.h"

static const char *const names[] = {
	"kernel:sched_switch",	     "kernel:sched_wakeup",	  "kernel:sched_process_fork",
	"kernel:sched_process_exec", "kernel:sched_process_exit", "kernel:irq_handler_entry",
	"kernel:irq_handler_exit",   "kernel:softirq_entry",	  "kernel:softirq_exit",
	"kernel:sys_enter",	     "kernel:sys_exit",		  "kernel:page_fault_user",
	"kernel:page_fault_kernel",
};
#define PROBES (sizeof(names) / sizeof(names[0]))

static uint64_t epoch;

/* ---- what the rings hold, as text -------------------------------------------------------------*/

static char *lines; /* `cpu tid text`, one a line */
static size_t lines_size, lines_len;
static unsigned long unreadable;

static void add_record(unsigned int cpu, const struct weir_record *record)
{
	size_t need = weir_text_record_max(record) + 64;

	if (lines_size - lines_len < need)
		lines = realloc(lines, lines_size += need + (1 << 20));
	if (!lines)
		bail("memory");
	lines_len += (size_t)sprintf(lines + lines_len, "%u %u ", cpu, record->tid);
	lines_len += weir_text_record(lines + lines_len, record);
	lines[lines_len++] = '\n';
	lines[lines_len] = 0;
}

static void add_packet(unsigned int cpu, const unsigned char *data, size_t len, bool open)
{
	struct weir_walk walk = {
		.data = data, .offset = WEIR_PACKET_HEADER, .end = len, .latest = ~0ull, .tid = true
	};
	const struct weir_packet *header = (const struct weir_packet *)data;
	struct weir_record record;
	int more;

	if (!open)
		walk.end = header->content_size / 8;
	walk.time = header->timestamp_begin;
	walk.schemas = &kernel_schemas;
	walk.count = kernel_schemas.count;
	while ((more = weir_walk_next(&walk, &record)) > 0)
		add_record(cpu, &record);
	unreadable += more != 0;
}

static void read_rings(void)
{
	uint64_t size = weir_epoch_subbuf_size(epoch), mask = weir_epoch_ring_size(epoch) - 1, at;
	unsigned char *copy = malloc(size);
	struct weir_ring_view view;
	unsigned int cpu;

	kernel_classes();
	lines_len = 0;
	for (cpu = 0; cpu < nr_cpus; cpu++) {
		if (weir_ring_sample(ring_of(kernel_process, 0, cpu), epoch, &view))
			continue;
		for (at = view.begin; at < view.end; at += size) {
			uint64_t len = view.end - at < size ? view.end - at : size;

			memcpy(copy, kernel_ring_bytes(0, cpu) + (at & mask), len);
			if (weir_ring_valid_from(ring_of(kernel_process, 0, cpu), &view) <= at)
				add_packet(cpu, copy, len, view.end - at <= size);
		}
	}
	free(copy);
}

/* There is a line that contains this. */
static void __attribute__((format(printf, 2, 3))) has(const char *what, const char *format, ...)
{
	char wanted[512];
	va_list args;
	bool found;

	va_start(args, format);
	vsnprintf(wanted, sizeof(wanted), format, args);
	va_end(args);
	found = lines_len && strstr(lines, wanted);
	if (!ok(found, "%s", what)) {
		char *part = strndup(wanted, strcspn(wanted, "=")),
		     *like = lines_len ? strstr(lines, part) : NULL;

		printf("# wanted: %s\n", wanted);
		if (like)
			printf("# but: %.*s\n", (int)strcspn(like, "\n"), like);
	}
}

/* ---- what is done -----------------------------------------------------------------------------*/

static char comm[16];

struct done {
	pid_t me, child, execed;
	unsigned char *user,
		*kernel; /* pages that were touched first by the program, and by a system call */
};

static unsigned char *new_page(void)
{
	unsigned char *page =
		mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		bail("mmap");
	return page;
}

static pid_t end_of(pid_t child)
{
	if (child < 0 || waitpid(child, NULL, 0) != child)
		bail("child");
	return child;
}

static void act(struct done *done)
{
	int pair[2];
	pid_t pid;

	done->me = getpid();
	done->user = new_page();
	done->kernel = new_page();
	*(volatile unsigned char *)done->user = 1;
	if (pipe(pair) || write(pair[1], "x", 1) != 1 || read(pair[0], done->kernel, 1) != 1)
		bail("pipe");
	syscall(SYS_getpgid, 0x7fff1234);
	pid = fork();
	if (!pid)
		_exit(0);
	done->child = end_of(pid);
	pid = fork();
	if (!pid) {
		execl("/bin/busybox", "busybox", "true", NULL);
		_exit(1);
	}
	done->execed = end_of(pid);
	/* the port's interrupt */
	printf("# written to the serial port, which interrupts when it is done\n");
	fflush(stdout);
	usleep(50000);
}

/* ---- the tests --------------------------------------------------------------------------------*/

static void test_list(void)
{
	unsigned int i, same = 0;

	for (i = 0; i < PROBES && i < kernel_schemas.count; i++)
		same += !strcmp(weir_schemas_class(&kernel_schemas, i)->name, names[i]);
	ok(same == PROBES, "the schema log begins with the kernel's events, in their order");
}

static uint64_t written(void)
{
	uint64_t sum = 0;
	unsigned int cpu;

	for (cpu = 0; cpu < nr_cpus; cpu++) {
		const struct weir_ring *ring = ring_of(kernel_process, 0, cpu);

		if (READ_ONCE(ring->epoch) == epoch &&
		    !(READ_ONCE(ring->position) & WEIR_RING_NOTHING))
			sum += READ_ONCE(ring->position);
	}
	return sum;
}

static void want(uint64_t kernel, uint32_t flags)
{
	config.slot[0].kernel = kernel;
	config.slot[0].flags = flags | WEIR_SLOT_ALL;
	publish();
}

static void test_probes(void)
{
	struct done done;
	uint64_t position;

	epoch = put_trace(0, 18, 3, WEIR_EPOCH_TID);
	act(&done);
	ok(!written(), "a trace that wants no event of the kernel holds none");
	want((1ull << PROBES) - 1, WEIR_SLOT_ENABLED);
	act(&done);
	want((1ull << PROBES) - 1, 0);
	position = written();
	read_rings();
	ok(!unreadable, "every record is readable");
	has("sys_enter", " %d kernel:sys_enter: id=%d arg0=0x7fff1234", done.me, SYS_getpgid);
	has("sys_exit", " %d kernel:sys_exit: id=%d ret=%d\n", done.me, SYS_getpgid, -ESRCH);
	has("page_fault_user", " %d kernel:page_fault_user: address=%p ip=0x", done.me,
	    (void *)done.user);
	has("page_fault_kernel", " %d kernel:page_fault_kernel: address=%p ip=0x", done.me,
	    (void *)done.kernel);
	has("sched_process_fork",
	    " %d kernel:sched_process_fork: parent_comm=\"%s\" parent_tid=%d parent_pid=%d child_comm=\"%s\" child_tid=%d "
	    "child_pid=%d\n",
	    done.me, comm, done.me, done.me, comm, done.child, done.child);
	has("sched_process_exec",
	    " %d kernel:sched_process_exec: filename=\"/bin/busybox\" tid=%d old_tid=%d\n",
	    done.execed, done.execed, done.execed);
	has("sched_process_exit", " %d kernel:sched_process_exit: comm=\"%s\" tid=%d prio=20\n",
	    done.child, comm, done.child);
	has("sched_process_exit of what was executed",
	    " %d kernel:sched_process_exit: comm=\"busybox\" tid=%d prio=20\n", done.execed,
	    done.execed);
	has("sched_switch away",
	    " %d kernel:sched_switch: prev_comm=\"%s\" prev_tid=%d prev_prio=20 prev_state=1 next_comm=\"",
	    done.me, comm, done.me);
	has("sched_switch back", " next_comm=\"%s\" next_tid=%d next_prio=20\n", comm, done.me);
	has("sched_wakeup", "kernel:sched_wakeup: comm=\"%s\" tid=%d prio=20 target_cpu=", comm,
	    done.me);
	has("irq_handler_entry", "kernel:irq_handler_entry: irq=");
	has("irq_handler_exit", "kernel:irq_handler_exit: irq=");
	has("softirq_entry", "kernel:softirq_entry: vec=1\n"); /* timers */
	has("softirq_exit", "kernel:softirq_exit: vec=1\n");
	act(&done);
	ok(written() == position, "once the trace is disabled, nothing comes any more");
	want(1ull << 9, WEIR_SLOT_ENABLED);
	act(&done);
	want(0, WEIR_SLOT_ENABLED);
	ok(written() > position, "the same trace goes on when it is enabled again");
	position = written();
	act(&done);
	ok(written() == position, "and stops when it wants nothing");
}

/* The mask selects. */
static void test_one(void)
{
	struct done done;
	const char *line;
	unsigned long lines_seen = 0, others = 0;

	epoch = put_trace(0, 18, 3, WEIR_EPOCH_TID);
	want(1ull << 3, WEIR_SLOT_ENABLED);
	act(&done);
	want(0, WEIR_SLOT_ENABLED);
	read_rings();
	for (line = lines; line < lines + lines_len; line = strchr(line, '\n') + 1) {
		const char *name = strchr(strchr(line, ' ') + 1, ' ') + 1;

		lines_seen++;
		others += strncmp(name, names[3], strlen(names[3])) != 0;
	}
	ok(lines_seen >= 1 && !others, "a trace that wants one event holds that one only");
}

static void insmod(const char *directory, const char *module)
{
	char command[512];

	snprintf(command, sizeof(command), "busybox insmod %s/%s", directory, module);
	if (system(command))
		bail(command);
}

static void rmmod(const char *module)
{
	char command[512];

	snprintf(command, sizeof(command), "busybox rmmod %s", module);
	if (system(command))
		bail(command);
}

/* Waits for an event; 60 s are the hang guard. */
static bool comes(const char *wanted)
{
	int i;

	for (i = 0; i < 600; i++) {
		read_rings();
		if (lines_len && strstr(lines, wanted))
			return true;
		usleep(100000);
	}
	return false;
}

static void test_module(const char *directory)
{
	const struct weir_class *class;
	unsigned int next;
	uint64_t bytes;

	kernel_classes();
	next = kernel_schemas.count;
	epoch = put_trace(0, 18, 3, WEIR_EPOCH_TID);
	want(1ull << next, WEIR_SLOT_ENABLED); /* before it is there */
	insmod(directory, "weir_sample.ko period_ms=1");
	ok(comes("sample:tick: count="), "an event of a module that comes later");
	class = kernel_class("sample:tick");
	if (!class || class->id != next)
		bail("sample:tick has another id");
	has("with its fields", " text=\"a tick of the sample\"\n");
	rmmod("weir_sample");
	bytes = kernel_process->schema_bytes;
	epoch = put_trace(0, 18, 3, WEIR_EPOCH_TID);
	insmod(directory, "weir_sample.ko period_ms=1");
	ok(comes("sample:tick: count="), "and when the module comes again");
	ok(kernel_process->schema_bytes == bytes, "with the id that it had");
	rmmod("weir_sample");
}

/* weir_nest registers 64 events and writes each once: the bits do not suffice. */
static void test_many(const char *directory)
{
	uint64_t rest = 1ull << WEIR_KERNEL_REST;

	insmod(directory, "weir_nest.ko");
	epoch = put_trace(0, 18, 3, WEIR_EPOCH_TID);
	want(rest, WEIR_SLOT_ENABLED);
	if (system("echo 64 >/sys/module/weir_nest/parameters/many"))
		bail("many");
	read_rings();
	ok(lines_len && strstr(lines, "many:63: number=63\n"),
	   "the last bit stands for all events from there on");
	ok(kernel_class("many:63")->id > WEIR_KERNEL_REST, "of which there are several");
	ok(!strstr(lines, "many:0: "), "and for no other");
	rmmod("weir_nest");
}

int main(int argc, char **argv)
{
	FILE *file = fopen("/proc/self/comm", "r");

	if (argc != 2 || !file || fscanf(file, "%15s", comm) != 1)
		return 2;
	fclose(file);
	setvbuf(stdout, NULL, _IOLBF, 0);
	serve();
	kernel_open();
	test_list();
	test_probes();
	test_one();
	test_module(argv[1]);
	test_many(argv[1]);
	return tap_end();
}
