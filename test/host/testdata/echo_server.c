/* TCP echo server: echo_server PORT */
#include "net.h"

int main(int argc, char **argv)
{
	int s = listen_at(argv[1]);

	for (;;) {
		char buf[1024];
		ssize_t n;
		int c = accept(s, NULL, NULL);

		if (c < 0)
			die("accept");
		while ((n = recv(c, buf, sizeof buf, 0)) > 0)
			if (send(c, buf, n, 0) < 0)
				break;
		close(c);
	}
}
