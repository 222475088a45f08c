// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracing control's latch: whoever reads it finds a whole copy, also when the daemon is killed while it
 * writes. A daemon fills every slot with one number; a reader that finds two has caught it.
 */
#include "daemon.h"

static u64 test_random = 88172645463325252ull;

static u64 test_next(void)
{
	test_random ^= test_random << 13;
	test_random ^= test_random >> 7;
	test_random ^= test_random << 17;
	return test_random;
}

static void test_fill(struct weir_config *config, u64 n)
{
	unsigned int i;

	for (i = 0; i < WEIR_SLOTS; i++) {
		config->slot[i].epoch = n << WEIR_EPOCH_COUNTER_SHIFT;
		config->slot[i].owner = (u32)n;
		memset(config->slot[i].rules, (int)('a' + n % 26), WEIR_RULES_SIZE - 1);
		memset(config->slot[i].processes, (int)('A' + n % 26), WEIR_PROCESSES_SIZE - 1);
	}
}

static bool test_uniform(const char *text, size_t len, char c)
{
	while (len && text[len - 1] == c)
		len--;
	return !len;
}

/* Free slots, as a new daemon leaves them, or slots of one number. */
static bool test_whole(const struct weir_config *config)
{
	u64 n = config->slot[0].epoch >> WEIR_EPOCH_COUNTER_SHIFT;
	unsigned int i;

	for (i = 0; i < WEIR_SLOTS; i++) {
		const struct weir_slot *slot = &config->slot[i];

		if (slot->epoch != n << WEIR_EPOCH_COUNTER_SHIFT || slot->owner != (u32)n ||
		    !test_uniform(slot->rules, WEIR_RULES_SIZE - 1, n ? (char)('a' + n % 26) : 0) ||
		    !test_uniform(slot->processes, WEIR_PROCESSES_SIZE - 1, n ? (char)('A' + n % 26) : 0))
			return false;
	}
	return true;
}

/* As a program reads: three tries. */
static bool test_read(const struct weir_control *control, struct weir_config *copy)
{
	int tries;

	for (tries = 0; tries < 3; tries++) {
		u64 sequence = smp_load_acquire(&control->sequence); /* read:A */

		memcpy(copy, &control->copy[sequence & 1], sizeof(*copy));
		smp_rmb(); /* read:B */
		if (READ_ONCE(control->sequence) == sequence)
			return true;
	}
	return false;
}

/* A daemon that changes everything all the time, until it is killed. */
static pid_t test_writer(void)
{
	pid_t pid = fork();
	u64 n;

	assert_true(pid >= 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (weir_control_open(test_path("control")))
		_exit(1);
	for (n = 1;; n++) {
		test_fill(weir_control_config(), n);
		weir_control_publish();
	}
}

static void test_kill(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static struct weir_control *test_map(void)
{
	int fd = open(test_path("control"), O_RDONLY | O_CLOEXEC);
	struct weir_control *control = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);

	assert_true(fd >= 0 && control != MAP_FAILED);
	close(fd);
	return control;
}

static void test_latch_kill(void **state)
{
	static struct weir_config copy;
	struct weir_control *control;
	u64 server, generation;
	unsigned int round, odd = 0;

	(void)state;
	test_dir_make();
	assert_int_equal(weir_control_open(test_path("control")), 0);
	weir_control_publish();
	weir_control_close();
	control = test_map();
	for (round = 0; round < 200; round++) {
		pid_t pid;
		u64 spins, limit = test_next() % 4096;

		server = control->copy[control->sequence & 1].server;
		generation = READ_ONCE(control->generation);
		pid = test_writer();
		test_wait(READ_ONCE(control->generation) != generation);
		for (spins = 0; spins < limit; spins++)
			if (!(spins % 1024) && test_read(control, &copy))
				assert_true(test_whole(&copy));
		test_kill(pid);
		assert_true(test_read(control, &copy));
		assert_true(test_whole(&copy));
		assert_int_equal(copy.server, server + 1);
		assert_int_equal(control->generation % WEIR_GENERATION_STEP, 0);
		odd += control->sequence & 1;
	}
	print_message("# %u of %u daemons were killed while they wrote copy 0\n", odd, round);
	munmap(control, sizeof(*control));
	test_dir_remove();
}

/* Readers beside a writer that lives. */
static void test_latch_readers(void **state)
{
	static struct weir_config copy;
	struct weir_control *control;
	unsigned int found = 0;
	pid_t pid;

	(void)state;
	test_dir_make();
	assert_int_equal(weir_control_open(test_path("control")), 0);
	weir_control_publish();
	weir_control_close();
	control = test_map();
	pid = test_writer();
	while (found < 1000) {
		if (!test_read(control, &copy))
			continue;
		assert_true(test_whole(&copy));
		found++;
	}
	test_kill(pid);
	munmap(control, sizeof(*control));
	test_dir_remove();
}

static void test_control_second(void **state)
{
	(void)state;
	test_dir_make();
	assert_int_equal(weir_control_open(test_path("control")), 0);
	assert_int_equal(weir_control_open(test_path("control")), -EBUSY);
	weir_control_close();
	test_dir_remove();
}

/* tmpfiles.d makes it empty. */
static void test_control_empty(void **state)
{
	struct weir_control *control;
	struct stat before, after;
	int fd;

	(void)state;
	test_dir_make();
	fd = open(test_path("control"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(weir_control_open(test_path("control")), 0);
	weir_control_publish();
	assert_int_equal(stat(test_path("control"), &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(after.st_size, sizeof(struct weir_control));
	assert_int_equal(after.st_mode & 07777, 0644);
	control = test_map();
	assert_true(control->magic == WEIR_CONTROL_MAGIC);
	assert_int_equal(control->copy[0].server, 1);
	munmap(control, sizeof(*control));
	weir_control_close();
	close(fd);
	test_dir_remove();
}

/* Somebody else's format: those who have it mapped keep it, new ones find ours. */
static void test_control_version(void **state)
{
	struct weir_control other = { .magic = WEIR_CONTROL_MAGIC, .version = 999, .size = sizeof(other) };
	struct stat before, after;
	int fd;

	(void)state;
	test_dir_make();
	fd = open(test_path("control"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, &other, sizeof(other)), sizeof(other));
	assert_int_equal(fstat(fd, &before), 0);
	assert_int_equal(weir_control_open(test_path("control")), 0);
	assert_int_equal(stat(test_path("control"), &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	weir_control_close();
	close(fd);
	test_dir_remove();
}

/* A link would let a user choose the file that root writes. */
static void test_control_link(void **state)
{
	(void)state;
	test_dir_make();
	assert_int_equal(symlink("/tmp", test_path("control")), 0);
	assert_int_equal(weir_control_open(test_path("control")), -ELOOP);
	test_dir_remove();
}

/* A counter is never used twice, whatever happens to slots and daemons. */
static void test_control_counter(void **state)
{
	u64 last = 0, counter;
	int i;

	(void)state;
	test_dir_make();
	for (i = 0; i < 5; i++) {
		assert_int_equal(weir_control_open(test_path("control")), 0);
		counter = weir_control_counter();
		assert_true(counter > last);
		last = weir_control_counter();
		assert_int_equal(last, counter + 1);
		weir_control_publish();
		weir_control_close();
	}
	test_dir_remove();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_latch_kill),	cmocka_unit_test(test_latch_readers),
		cmocka_unit_test(test_control_second),	cmocka_unit_test(test_control_empty),
		cmocka_unit_test(test_control_version), cmocka_unit_test(test_control_link),
		cmocka_unit_test(test_control_counter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
