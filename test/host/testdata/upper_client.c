/* TCP client of the upper-case server: upper_client HOST PORT, and a line on the standard input */
#include "net.h"

int main(int argc, char **argv)
{
	int s = connect_to(argv[1], argv[2]);
	char line[1024];
	ssize_t n;

	if (!fgets(line, sizeof line, stdin))
		die("fgets");
	if (send(s, line, strlen(line), 0) < 0)
		die("send");
	printf("From Server: ");
	while ((n = recv(s, line, sizeof line, 0)) > 0)
		fwrite(line, 1, n, stdout);
	return close(s);
}
