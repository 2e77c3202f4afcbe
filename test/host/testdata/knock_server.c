/* Knock-knock server: knock_server PORT */
#include "net.h"

/* Reads a line and shows it, without its end. */
static char *hear(FILE *in, char *line, int size)
{
	if (!fgets(line, size, in))
		return NULL;
	line[strcspn(line, "\r\n")] = '\0';
	printf("client: %s\n", line);
	fflush(stdout);
	return line;
}

int main(int argc, char **argv)
{
	int s = listen_at(argv[1]);

	for (;;) {
		char line[512], answer[600];
		int c = accept(s, NULL, NULL);
		FILE *in;

		if (c < 0)
			die("accept");
		in = fdopen(c, "r");
		if (hear(in, line, sizeof line)) {
			send(c, "Who's there?\n", 13, 0);
			if (hear(in, line, sizeof line)) {
				send(c, answer, snprintf(answer, sizeof answer, "%s who?\n", line), 0);
				hear(in, line, sizeof line);
			}
		}
		fclose(in);
	}
}
