// lwIP on a TUN device, as a peer of the benchmark (bench/stacks/lwip.go): one thread, which reads what has arrived,
// answers, and sleeps. Like every stack under test it says "ready", answers commands, and ends with its input.
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/timeouts.h"
#include "services.h"

// reception is a buffer for a packet. It is used again, the one that was used last first.
struct reception {
  struct pbuf_custom custom; // must be first
  struct reception *next;
  u8_t data[MTU];
};

static struct reception *unused;
static int tun;

static void release(struct pbuf *p) {
  struct reception *r = (struct reception *)p;
  r->next = unused;
  unused = r;
}

static struct reception *reserve(void) {
  struct reception *r = unused;
  if (r == NULL) {
    if ((r = malloc(sizeof *r)) == NULL)
      abort();
    r->custom.custom_free_function = release;
    return r;
  }
  unused = r->next;
  return r;
}

// receive handles the packets that wait.
static void receive(struct netif *netif) {
  for (;;) {
    struct reception *r = reserve();
    ssize_t n = read(tun, r->data, sizeof r->data);
    if (n <= 0) {
      release(&r->custom.pbuf);
      return;
    }
    struct pbuf *p = pbuf_alloced_custom(PBUF_RAW, n, PBUF_RAM, &r->custom, r->data, sizeof r->data);
    if (netif->input(p, netif) != ERR_OK)
      pbuf_free(p);
  }
}

static err_t transmit(struct netif *netif, struct pbuf *p, const ip4_addr_t *to) {
  struct iovec parts[64];
  int n = 0;
  for (; p != NULL && n < 64; p = p->next)
    parts[n++] = (struct iovec){p->payload, p->len};
  return writev(tun, parts, n) < 0 ? ERR_BUF : ERR_OK;
}

static err_t attach(struct netif *netif) {
  netif->name[0] = 't';
  netif->name[1] = 'n';
  netif->mtu = MTU;
  netif->output = transmit;
  return ERR_OK;
}

u32_t sys_now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// run serves until the input ends.
static void run(struct netif *netif) {
  struct pollfd files[] = {{.fd = tun, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  for (;;) {
    sys_check_timeouts();
    poll(files, 2, sys_timeouts_sleeptime());
    if (files[0].revents)
      receive(netif);
    if (files[1].revents) {
      char command[64] = "";
      if (read(STDIN_FILENO, command, sizeof command) <= 0)
        return;
      puts(memcmp(command, "count", 5) == 0 ? "-1" : "done"); // connections are not counted
    }
  }
}

int main(int argc, char **argv) {
  ip4_addr_t address, mask, gateway;
  if (argc != 5 || !ip4addr_aton(argv[2], &address) || !ip4addr_aton(argv[3], &mask) || !ip4addr_aton(argv[4], &gateway)) {
    fprintf(stderr, "usage: %s FILE-DESCRIPTOR ADDRESS MASK GATEWAY\n", argv[0]);
    return 2;
  }
  tun = atoi(argv[1]);
  setvbuf(stdout, NULL, _IOLBF, 0);
  struct netif netif;
  lwip_init();
  netif_add(&netif, &address, &mask, &gateway, NULL, attach, ip_input);
  netif_set_default(&netif);
  netif_set_link_up(&netif);
  netif_set_up(&netif);
  if (start_services() != 0) {
    fprintf(stderr, "lwIP: no services\n");
    return 1;
  }
  puts("ready");
  run(&netif);
  return 0;
}
