/* TCP server that answers one line in upper case: upper_server PORT */
#include <ctype.h>

#include "net.h"

int main(int argc, char **argv)
{
	int s = listen_at(argv[1]);

	for (;;) {
		char line[1024];
		int c = accept(s, NULL, NULL);
		FILE *in;

		if (c < 0)
			die("accept");
		in = fdopen(c, "r");
		if (fgets(line, sizeof line, in)) {
			for (char *p = line; *p; p++)
				*p = toupper(*p);
			send(c, line, strlen(line), 0);
		}
		fclose(in);
	}
}
