// SPDX-License-Identifier: Apache-2.0
/*
 * main.c: tsrun-oci-fast, which does those calls of tsrun-oci that were foreseen, and executes the
 * runtime for all others:
 *
 *	tsrun-oci-fast RUNTIME [ARGUMENT...] -- SCRIPT [WORD...]
 *
 * The words are the caller's, the rest is the command line that is executed for them. Nothing is printed
 * here but a container's state: whoever is wrong hears it from the runtime.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "cases.h"

#define EXIT_CANNOT_EXECUTE 126

/* The caller's words, or NULL where nothing can be executed for them. */
static char **words_of(char **argv)
{
	if (!argv[0] || !argv[1])
		return NULL;
	for (char **word = argv + 2; *word; word++)
		if (strcmp(*word, "--") == 0)
			return word[1] ? word + 2 : NULL;
	return NULL;
}

/* Without one of them a file of ours would get its number. */
static bool has_stdio(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	char **words = words_of(argv);
	struct call call;

	(void)argc;
	if (!words) {
		fputs("usage: tsrun-oci-fast RUNTIME [ARGUMENT...] -- SCRIPT [WORD...]\n", stderr);
		return EXIT_CANNOT_EXECUTE;
	}
	if (parse_call(words, &call) && has_stdio()) {
		void (*before)(int) = signal(SIGPIPE, SIG_IGN);

		if (do_foreseen(&call))
			return 0;
		signal(SIGPIPE, before);
	}
	execv(argv[1], argv + 1);
	fprintf(stderr, "tsrun-oci: cannot execute \"%s\": %s\n", argv[1], strerror(errno));
	return EXIT_CANNOT_EXECUTE;
}
