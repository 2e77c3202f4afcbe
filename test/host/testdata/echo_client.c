/* TCP echo client: echo_client HOST PORT MESSAGE */
#include "net.h"

int main(int argc, char **argv)
{
	int s = connect_to(argv[1], argv[2]);
	size_t length = strlen(argv[3]), got = 0;
	char buf[1024];

	if (send(s, argv[3], length, 0) < 0)
		die("send");
	printf("From Server: ");
	while (got < length) {
		ssize_t n = recv(s, buf, sizeof buf, 0);

		if (n <= 0)
			die("recv");
		fwrite(buf, 1, n, stdout);
		got += n;
	}
	printf("\n");
	return close(s);
}
