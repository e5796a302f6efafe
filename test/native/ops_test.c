// SPDX-License-Identifier: Apache-2.0
/*
 * ops_test.c: the ops that need no privileges, and the paths they resolve, on a directory of our own.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/magic.h>

#include "check.h"
#include "exec.h"
#include "listener.h"
#include "ops.h"
#include "paths.h"

/* The condition is its own name. */
#define EXPECT(condition) CHECK(#condition, condition)

static char blob[4096];
static uint32_t blob_used = 8;
static struct plan_header header;
static const struct plan plan = { .header = &header, .blob = blob };
static struct context context;

static uint32_t bytes(const void *from, size_t size)
{
	uint32_t at = (blob_used + 7) & ~7u;

	memcpy(blob + at, from, size);
	blob_used = at + (uint32_t)size;
	return at;
}

static uint32_t string(const char *text)
{
	return bytes(text, strlen(text) + 1);
}

static void begin(void)
{
	memset(blob, 0, sizeof(blob));
	blob_used = 8;
	context = (struct context){ .plan = &plan, .report_fd = -1 };
	for (int i = 0; i < SLOT_COUNT; i++)
		context.slots.fd[i] = -1;
}

static void end(void)
{
	for (int i = 0; i < SLOT_COUNT; i++)
		if (context.slots.fd[i] >= 0)
			close(context.slots.fd[i]);
}

static int apply(struct plan_op op)
{
	return op_apply(&context, &op);
}

static const uint64_t CWD = (uint64_t)SLOT_CWD;

static void test_slots(void)
{
	begin();
	EXPECT(slot_get(&context.slots, CWD) == AT_FDCWD);
	EXPECT(slot_get(&context.slots, 3) == -EBADF);
	EXPECT(slot_put(&context.slots, 3, -EPERM) == -EPERM);
	EXPECT(slot_get(&context.slots, 3) == -EBADF);
	int first = open("/", O_RDONLY), second = open("/", O_RDONLY);
	EXPECT(slot_put(&context.slots, 3, first) == 0);
	EXPECT(slot_put(&context.slots, 3, second) == 0);
	EXPECT(slot_get(&context.slots, 3) == second);
	EXPECT(fcntl(first, F_GETFD) < 0 && errno == EBADF);
	EXPECT(apply((struct plan_op){ .kind = OP_CLOSE, .num = { 3 } }) == 0);
	EXPECT(apply((struct plan_op){ .kind = OP_CLOSE, .num = { 3 } }) == -EBADF);
	end();
}

/* Every kind that takes a slot says EBADF for an empty one, and does nothing. */
static void test_empty_slots(void)
{
	static const struct {
		enum op_kind kind;
		int operand;
	} kinds[] = {
		{ OP_WRITE_FILE, 0 }, { OP_OPEN, 0 }, { OP_OPENAT2, 0 }, { OP_CLOSE, 0 }, { OP_SETNS, 0 },
		{ OP_BPF_PROG_ATTACH, 0 }, { OP_MOUNT, 1 }, { OP_OPEN_TREE, 0 }, { OP_MOUNT_SETATTR, 0 },
		{ OP_MOVE_MOUNT, 0 }, { OP_FSCONFIG, 0 }, { OP_FSMOUNT, 0 }, { OP_MKDIR_BELOW, 0 },
		{ OP_MKNOD, 0 }, { OP_SYMLINK, 0 }, { OP_CHOWN, 0 }, { OP_FCHDIR, 0 }, { OP_OPEN_PTY, 0 },
		{ OP_STDIO_PTY, 0 }, { OP_CHECK_FS, 0 }, { OP_SEND_LISTENER, 0 }, { OP_NETLINK, 2 },
		{ OP_CHECK_NODE, 0 },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct plan_op op = { .kind = (uint16_t)kinds[i].kind };

		begin();
		op.str[0] = op.str[1] = string("x");
		op.num[kinds[i].operand] = 9;
		EXPECT(apply(op) == -EBADF);
		end();
	}
}

static void test_files(void)
{
	char read_back[16] = "";

	begin();
	EXPECT(apply((struct plan_op){ .kind = OP_MKDIR, .str = { string("d") }, .num = { 0750 } }) == 0);
	EXPECT(apply((struct plan_op){ .kind = OP_MKDIR, .str = { string("d") } }) == -EEXIST);
	EXPECT(apply((struct plan_op){ .kind = OP_OPEN, .str = { string("d") },
				      .num = { CWD, O_PATH | O_DIRECTORY, 0 } }) == 0);
	EXPECT(fcntl(context.slots.fd[0], F_GETFD) == FD_CLOEXEC);
	struct plan_op write = {
		.kind = OP_WRITE_FILE, .data_size = 5, .num = { 0, O_CREAT | O_EXCL },
		.str = { string("file"), 0, 0, bytes("hello", 5) },
	};
	EXPECT(apply(write) == 0);
	EXPECT(apply(write) == -EEXIST);
	int fd = open("d/file", O_RDONLY);
	EXPECT(read(fd, read_back, sizeof(read_back)) == 5 && !strcmp(read_back, "hello"));
	close(fd);
	/* /dev/full takes nothing, and a pipe as much as there is room for. */
	write.num[0] = CWD;
	write.num[1] = 0;
	write.str[0] = string("/dev/full");
	EXPECT(apply(write) == -ENOSPC);
	write.str[0] = string("d");
	EXPECT(apply(write) == -EISDIR);
	write.str[0] = string("d/none");
	EXPECT(apply(write) == -ENOENT);

	EXPECT(apply((struct plan_op){ .kind = OP_SYMLINK, .str = { string("file"), string("link") },
				      .num = { 0 } }) == 0);
	write.num[0] = 0;
	write.str[0] = string("link");
	EXPECT(apply(write) == -ELOOP);
	EXPECT(apply((struct plan_op){ .kind = OP_CHOWN, .str = { string("link") },
				      .num = { 0, getuid(), getgid() } }) == 0);
	EXPECT(apply((struct plan_op){ .kind = OP_CHOWN, .str = { string("..") },
				      .num = { 0, getuid(), getgid() } }) == -EINVAL);
	EXPECT(apply((struct plan_op){ .kind = OP_MKNOD, .str = { string("fifo") },
				      .num = { 0, S_IFIFO | 0600, 0 } }) == 0);
	EXPECT(apply((struct plan_op){ .kind = OP_UNLINK, .str = { string("d/fifo") } }) == 0);
	EXPECT(apply((struct plan_op){ .kind = OP_UNLINK, .str = { string("d/fifo") } }) == -ENOENT);
	EXPECT(apply((struct plan_op){ .kind = OP_RMDIR, .str = { string("d") }, .num = { 1000 } }) ==
	      -ENOTEMPTY);
	end();
}

static void test_process(void)
{
	struct rlimit limit;

	begin();
	getrlimit(RLIMIT_CORE, &limit);
	EXPECT(apply((struct plan_op){ .kind = OP_PRLIMIT, .num = { RLIMIT_CORE, 0, limit.rlim_max } }) == 0);
	getrlimit(RLIMIT_CORE, &limit);
	EXPECT(limit.rlim_cur == 0);
	EXPECT(apply((struct plan_op){ .kind = OP_PRLIMIT, .num = { 4711 } }) == -EINVAL);
	EXPECT(!context.umask_set);
	EXPECT(apply((struct plan_op){ .kind = OP_UMASK, .num = { 027 } }) == 0);
	EXPECT(context.umask_set && umask(0) == 027);
	EXPECT(apply((struct plan_op){ .kind = OP_PRCTL, .num = { 12345 } }) == -EINVAL);
	EXPECT(apply((struct plan_op){ .kind = OP_LINK_UP, .str = { string("0123456789abcdefg") } }) ==
	      -ENODEV);
	int fd = open("/", O_RDONLY);
	EXPECT(apply((struct plan_op){ .kind = OP_CLOSE_RANGE, .num = { (uint64_t)fd } }) == 0);
	EXPECT(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	close(fd);
	EXPECT(apply((struct plan_op){ .kind = OP_HOLD }) == -ENOSYS);
	end();
}

static void test_tolerance(void)
{
	const struct plan_op op = { .tolerate = { EEXIST, 0 } };

	EXPECT(op_tolerates(&op, -EEXIST));
	EXPECT(!op_tolerates(&op, -ENOENT));
	EXPECT(!op_tolerates(&op, 0));
}

static bool is_type(const char *path, mode_t type)
{
	struct stat stat;

	return lstat(path, &stat) == 0 && (stat.st_mode & S_IFMT) == type;
}

static void test_mkdir_below(void)
{
	char path[PATH_MAX + 1];
	int root;

	mkdir("root", 0755);
	mkdir("outside", 0755);
	root = open("root", O_PATH | O_DIRECTORY);
	EXPECT(mkdir_below(root, "", 0755) == 0);
	EXPECT(mkdir_below(root, "/", 0755) == 0);
	EXPECT(mkdir_below(root, "//a///b/./c/", 0700) == 0);
	EXPECT(is_type("root/a/b/c", S_IFDIR));
	EXPECT(mkdir_below(root, "a/../../../../escape", 0755) == 0);
	EXPECT(is_type("root/escape", S_IFDIR));
	EXPECT(mkdir_below(root, "new/../beside", 0755) == 0);
	EXPECT(is_type("root/new", S_IFDIR) && is_type("root/beside", S_IFDIR));

	EXPECT(symlink("../../outside", "root/up") == 0);
	EXPECT(mkdir_below(root, "up/x", 0755) == 0);
	EXPECT(is_type("root/outside/x", S_IFDIR));
	EXPECT(symlink("/deep/er", "root/a/absolute") == 0);
	EXPECT(mkdir_below(root, "a/absolute/x", 0755) == 0);
	EXPECT(is_type("root/deep/er/x", S_IFDIR));
	EXPECT(symlink("sibling/inner", "root/a/relative") == 0);
	EXPECT(mkdir_below(root, "a/relative", 0755) == 0);
	EXPECT(is_type("root/a/sibling/inner", S_IFDIR));
	EXPECT(symlink("two", "root/one") == 0 && symlink("three", "root/two") == 0);
	EXPECT(mkdir_below(root, "one/x", 0755) == 0);
	EXPECT(is_type("root/three/x", S_IFDIR));
	EXPECT(symlink("round", "root/round") == 0);
	EXPECT(mkdir_below(root, "round/x", 0755) == -ELOOP);
	EXPECT(symlink("grow/x", "root/grow") == 0);
	EXPECT(mkdir_below(root, "grow", 0755) == -ELOOP);
	EXPECT(symlink("/proc/self/root", "root/magic") == 0);
	EXPECT(mkdir_below(root, "magic/x", 0755) == 0);
	EXPECT(is_type("root/proc/self/root/x", S_IFDIR));
	EXPECT(rmdir("outside") == 0); /* nothing ever came there */

	EXPECT(mkdir_below(root, "f/i/le", S_IFREG | 0640) == 0);
	EXPECT(is_type("root/f/i/le", S_IFREG));
	EXPECT(mkdir_below(root, "f/i/le", S_IFREG | 0640) == 0);
	EXPECT(mkdir_below(root, "f/i/le", 0755) == -ENOTDIR);
	EXPECT(mkdir_below(root, "f/i/le/x", 0755) == -ENOTDIR);
	EXPECT(symlink("/made/file", "root/dangling") == 0);
	EXPECT(mkdir_below(root, "dangling", S_IFREG | 0644) == 0);
	EXPECT(is_type("root/made/file", S_IFREG));

	memset(path, 'n', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	EXPECT(mkdir_below(root, path, 0755) == -ENAMETOOLONG);
	path[300] = '\0';
	EXPECT(mkdir_below(root, path, 0755) == -ENAMETOOLONG);
	close(root);
}

static atomic_bool racing = true;

/* Exchanges a directory for a link out of the root, as fast as it can. */
static void *exchange(void *unused)
{
	(void)unused;
	while (racing) {
		rename("race/dir", "race/aside");
		(void)!symlink("../../trap", "race/dir");
		unlink("race/dir");
		rename("race/aside", "race/dir");
	}
	return NULL;
}

static void test_race(void)
{
	pthread_t thread;
	int root, made = 0;

	EXPECT(mkdir("race", 0755) == 0 && mkdir("race/dir", 0755) == 0 && mkdir("trap", 0755) == 0);
	root = open("race", O_PATH | O_DIRECTORY);
	EXPECT(pthread_create(&thread, NULL, exchange, NULL) == 0);
	for (int i = 0; i < 20000; i++) {
		char path[32];

		snprintf(path, sizeof(path), "dir/%d/x", i);
		made += mkdir_below(root, path, 0755) == 0;
	}
	racing = false;
	pthread_join(thread, NULL);
	EXPECT(made > 0);
	EXPECT(rmdir("trap") == 0); /* empty still */
	close(root);
}

static int exec_status(const char *const *candidates, uint32_t count)
{
	uint32_t words[16] = { 1, 1, count, string("sh"), string("WORD=bird") };
	struct exec_vectors vectors;
	int status;
	pid_t pid;

	for (uint32_t i = 0; i < count; i++)
		words[5 + i] = string(candidates[i]);
	EXPECT(exec_prepare(&plan, bytes(words, sizeof(words)), &vectors) == 0);
	EXPECT(!strcmp(vectors.argv[0], "sh") && !vectors.argv[1]);
	EXPECT(!strcmp(vectors.envp[0], "WORD=bird") && !vectors.envp[1]);
	EXPECT(!vectors.candidates[count]);
	pid = fork();
	if (pid == 0)
		_exit(-exec_run(&vectors));
	exec_release(&vectors);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_exec(void)
{
	int fd = open("plain", O_CREAT | O_WRONLY, 0644);

	close(fd);
	fd = open("garbage", O_CREAT | O_WRONLY, 0755);
	EXPECT(write(fd, "garbage\n", 8) == 8);
	close(fd);
	begin();
	EXPECT(exec_status((const char *[]){ "/nowhere", "plain/x", "/bin/true" }, 3) == 0);
	EXPECT(exec_status((const char *[]){ "plain", "/bin/false" }, 2) == 1);
	EXPECT(exec_status((const char *[]){ "/nowhere", "plain/x" }, 2) == ENOENT);
	EXPECT(exec_status((const char *[]){ "/nowhere", "plain", "/nowhere" }, 3) == EACCES);
	EXPECT(exec_status((const char *[]){ "garbage", "/bin/true" }, 2) == ENOEXEC);
	end();
}

/* CVE-2024-21626, CVE-2025-52881: what a path leads to is looked at before it is used. */
static void test_checks(void)
{
	begin();
	slot_put(&context.slots, 0, open("/proc", O_PATH | O_CLOEXEC));
	slot_put(&context.slots, 1, open(".", O_PATH | O_CLOEXEC));
	EXPECT(apply((struct plan_op){ .kind = OP_CHECK_FS, .num = { 0, PROC_SUPER_MAGIC, 1 } }) == 0);
	EXPECT(apply((struct plan_op){ .kind = OP_CHECK_FS, .num = { 0, PROC_SUPER_MAGIC, 0 } }) == -EXDEV);
	EXPECT(apply((struct plan_op){ .kind = OP_CHECK_FS, .num = { 1, PROC_SUPER_MAGIC, 1 } }) == -EXDEV);
	EXPECT(apply((struct plan_op){ .kind = OP_CHECK_FS, .num = { 1, PROC_SUPER_MAGIC, 0 } }) == 0);
	EXPECT(apply((struct plan_op){ .kind = OP_CHECK_CWD }) == 0);
	EXPECT(mkdir("gone", 0755) == 0 && chdir("gone") == 0 && rmdir("../gone") == 0);
	EXPECT(apply((struct plan_op){ .kind = OP_CHECK_CWD }) == -EXDEV);
	EXPECT(fchdir(context.slots.fd[1]) == 0);

	const int kept = context.slots.fd[1], closed = context.slots.fd[0];
	EXPECT(apply((struct plan_op){ .kind = OP_CLOSE_SLOTS, .num = { 1, CWD } }) == 0);
	EXPECT(context.slots.fd[0] == -1 && fcntl(closed, F_GETFD) < 0);
	EXPECT(context.slots.fd[1] == kept && fcntl(kept, F_GETFD) >= 0);
	EXPECT(apply((struct plan_op){ .kind = OP_CLOSE_SLOTS, .num = { CWD, CWD } }) == 0);
	EXPECT(fcntl(kept, F_GETFD) < 0);
	end();
}

/* A message is sent whole, the pid in place of each NUL and the descriptor with its first bytes. */
static void test_listener(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "agent" };
	const int server = socket(AF_UNIX, SOCK_STREAM, 0);
	const int sent = open("/dev/null", O_RDONLY);
	char body[64] = "", control[CMSG_SPACE(sizeof(int))];
	struct iovec room = { body, sizeof(body) - 1 };
	struct msghdr message = {
		.msg_iov = &room, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	ssize_t size = 0;

	EXPECT(listener_deliver("agent", "x", 1, 1, sent) == -ENOENT);
	EXPECT(bind(server, (struct sockaddr *)&address, sizeof(address)) == 0);
	EXPECT(listener_deliver("agent", "x", 1, 1, sent) == -ECONNREFUSED);
	EXPECT(listen(server, 1) == 0);
	EXPECT(listener_deliver("agent", "{\"pid\":\0,\"state\":\0}", 19, 4242, sent) == 0);
	const int client = accept(server, NULL, NULL);
	size = recvmsg(client, &message, 0);
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
	EXPECT(cmsg && cmsg->cmsg_type == SCM_RIGHTS && cmsg->cmsg_len == CMSG_LEN(sizeof(int)));
	for (ssize_t more = size; more > 0; size += more)
		more = read(client, body + size, sizeof(body) - 1 - (size_t)size);
	EXPECT(!strcmp(body, "{\"pid\":4242,\"state\":4242}"));
	close(client);
	close(server);
	close(sent);
}

int main(void)
{
	char dir[] = "/tmp/tsrun-ops-XXXXXX";
	char remove[64];

	umask(0);
	if (!mkdtemp(dir) || chdir(dir) < 0) {
		perror(dir);
		return 1;
	}
	test_slots();
	test_empty_slots();
	test_files();
	test_process();
	test_tolerance();
	test_mkdir_below();
	test_race();
	test_exec();
	test_checks();
	test_listener();
	snprintf(remove, sizeof(remove), "rm -rf %s", dir);
	if (system(remove) != 0)
		perror(remove);
	return check_result("ops_test");
}
