/* Knock-knock client: knock_client HOST PORT */
#include "net.h"

int main(int argc, char **argv)
{
	static const char *says[] = { "Knock knock\n", "Lettuce\n", "Lettuce in, it's cold out here!\n" };
	FILE *in = fdopen(connect_to(argv[1], argv[2]), "r+");
	char line[512];

	for (int i = 0; i < 3; i++) {
		if (send(fileno(in), says[i], strlen(says[i]), 0) < 0)
			die("send");
		if (i < 2 && fgets(line, sizeof line, in))
			printf("server: %s", line);
	}
	if (fgets(line, sizeof line, in)) {
		fprintf(stderr, "the server does not close but says %s", line);
		return 1;
	}
	return fclose(in);
}
