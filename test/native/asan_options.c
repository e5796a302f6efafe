// SPDX-License-Identifier: Apache-2.0
/*
 * asan_options.c: linked into tsrun-stage.asan, which is started without an environment. The leak
 * checker traces its own process, and the stage has made itself untraceable.
 */
const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0:abort_on_error=1";
}
