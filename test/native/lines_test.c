// SPDX-License-Identifier: Apache-2.0
/* lines_test.c: how a stream is cut into records, however its bytes arrive. */
#include <stdlib.h>

#include "check.h"
#include "lines.h"

static uint8_t bytes[LINE_MAX_SIZE];

/* Records as text: "F:hello|P:wor|". */
static void put_record(char *out, const struct line *line)
{
	size_t at = strlen(out);

	at += (size_t)sprintf(out + at, "%c:", line->full ? 'F' : 'P');
	memcpy(out + at, line->text, line->size);
	strcpy(out + at + line->size, "|");
}

static void feed(struct lines *lines, const char *input, size_t size, char *out)
{
	struct line line;
	size_t room;
	uint8_t *space = lines_space(lines, &room);

	CHECK("there is room", room >= size);
	memcpy(space, input, size);
	lines_added(lines, size);
	while (lines_next(lines, &line))
		put_record(out, &line);
}

static const struct {
	const char *name;
	const char *chunks[4];  /* "!" flushes, as a pause or the end does */
	const char *expected;
} table[] = {
	{ "nothing", { "" }, "" },
	{ "nothing, flushed", { "", "!" }, "" },
	{ "one line", { "one\n" }, "F:one|" },
	{ "an empty line", { "\n" }, "F:|" },
	{ "three at once", { "a\nb\n\nc\n" }, "F:a|F:b|F:|F:c|" },
	{ "an unfinished line is held", { "a\nb" }, "F:a|" },
	{ "and put together", { "a\nb", "c", "d\n" }, "F:a|F:bcd|" },
	{ "the end of the stream", { "a\nb", "!" }, "F:a|P:b|" },
	{ "a pause in a line", { "a", "!", "b\n" }, "P:a|F:b|" },
	{ "a newline after a pause", { "a", "!", "\n" }, "P:a|F:|" },
	{ "a carriage return is text", { "a\r\n" }, "F:a\r|" },
	{ "a newline of its own", { "a", "\n", "b", "!" }, "F:a|P:b|" },
};

static void check_row(size_t i)
{
	struct lines lines = { .bytes = bytes };
	char out[256] = "";

	for (size_t chunk = 0; chunk < 4 && table[i].chunks[chunk]; chunk++) {
		const char *input = table[i].chunks[chunk];
		struct line line;

		if (strcmp(input, "!") != 0)
			feed(&lines, input, strlen(input), out);
		else if (lines_flush(&lines, &line))
			put_record(out, &line);
	}
	CHECK(table[i].name, strcmp(out, table[i].expected) == 0);
}

/* Sizes around the buffer's, in one piece or as reads would bring them. */
static void check_long_line(size_t size, size_t step)
{
	struct lines lines = { .bytes = bytes };
	size_t sent = 0, text = 0, records = 0, partials = 0;
	bool ended = false;
	struct line line;

	while (sent < size + 1) {
		size_t room;
		uint8_t *space = lines_space(&lines, &room);
		size_t count = size + 1 - sent;

		CHECK("there is always room", room > 0);
		if (room == 0)
			return;
		if (count > room)
			count = room;
		if (count > step)
			count = step;
		memset(space, 'x', count);
		sent += count;
		if (sent == size + 1)
			space[count - 1] = '\n';
		lines_added(&lines, count);
		while (lines_next(&lines, &line)) {
			text += line.size;
			records++;
			partials += !line.full;
			ended = line.full;
		}
	}
	CHECK("no byte is lost", text == size && ended);
	CHECK("pieces are as long as can be",
	      partials == (size == 0 ? 0 : size / LINE_MAX_SIZE) && records == partials + 1);
}

/* Any text in any pieces: the records put together are the text. */
static void check_random(unsigned int seed)
{
	static char input[100000], output[110000];
	struct lines lines = { .bytes = bytes };
	size_t sent = 0, got = 0;
	struct line line;

	srand(seed);
	for (size_t i = 0; i < sizeof(input); i++)
		input[i] = (char)(rand() % (1 + seed % 700) == 0 ? '\n' : 'a' + rand() % 26);
	while (sent < sizeof(input)) {
		size_t room;
		uint8_t *space = lines_space(&lines, &room);
		size_t count = 1 + (size_t)rand() % 20000;

		if (count > room)
			count = room;
		if (count > sizeof(input) - sent)
			count = sizeof(input) - sent;
		memcpy(space, input + sent, count);
		lines_added(&lines, count);
		sent += count;
		while (lines_next(&lines, &line) ||
		       ((rand() % 4 == 0 || sent == sizeof(input)) && lines_flush(&lines, &line))) {
			memcpy(output + got, line.text, line.size);
			got += line.size;
			if (line.full)
				output[got++] = '\n';
		}
	}
	CHECK("random text survives", got == sizeof(input) && memcmp(input, output, got) == 0);
}

int main(void)
{
	const size_t sizes[] = { 0, 1, LINE_MAX_SIZE - 1, LINE_MAX_SIZE, LINE_MAX_SIZE + 1,
				 2 * LINE_MAX_SIZE, 100000 };
	const size_t steps[] = { 1, 7, 4096, 65536 };

	for (size_t i = 0; i < sizeof(table) / sizeof(*table); i++)
		check_row(i);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		for (size_t j = 0; j < sizeof(steps) / sizeof(*steps); j++)
			check_long_line(sizes[i], steps[j]);
	for (unsigned int seed = 0; seed < 50; seed++)
		check_random(seed);
	return check_result("lines_test");
}
