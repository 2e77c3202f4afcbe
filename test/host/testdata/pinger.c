/* UDP pinger: pinger HOST PORT */
#include "net.h"

static double now(void)
{
	struct timeval t;

	gettimeofday(&t, NULL);
	return t.tv_sec + t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct sockaddr_in server = address(argv[1], argv[2]);
	struct timeval second = { .tv_sec = 1 };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (s < 0)
		die("socket");
	setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof second);
	for (int i = 1; i <= 10; i++) {
		char buf[1024];
		double start = now();
		ssize_t n = snprintf(buf, sizeof buf, "Ping %d %f", i, start);

		if (sendto(s, buf, n, 0, (struct sockaddr *)&server, sizeof server) < 0)
			die("sendto");
		n = recvfrom(s, buf, sizeof buf, 0, NULL, NULL);
		if (n >= 0)
			printf("%.*s RTT %f s\n", (int)n, buf, now() - start);
		else if (errno == EAGAIN)
			printf("Request timed out\n");
		else
			die("recvfrom");
	}
	return close(s);
}
