#include "services.h"

#include "lwip/tcp.h"
#include "lwip/udp.h"

// As bench/stacks/peers.go has them.
enum { ECHO_PORT = 7, DISCARD_PORT = 9, CHARGEN_PORT = 19, HOLD_PORT = 5000 };

// as_many is a whole number of segments, as many as one tcp_write takes.
enum { as_many = 65535 / TCP_MSS * TCP_MSS };

static u8_t pattern[as_many];

static err_t finish(struct tcp_pcb *pcb) {
  if (tcp_close(pcb) == ERR_OK)
    return ERR_OK;
  tcp_abort(pcb);
  return ERR_ABRT;
}

static err_t echo(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err) {
  if (p == NULL)
    return finish(pcb);
  if (tcp_sndbuf(pcb) < p->tot_len)
    return ERR_MEM; // lwIP offers it again
  for (struct pbuf *q = p; q != NULL; q = q->next)
    if ((err = tcp_write(pcb, q->payload, q->len, TCP_WRITE_FLAG_COPY)) != ERR_OK) {
      tcp_abort(pcb);
      return ERR_ABRT;
    }
  tcp_recved(pcb, p->tot_len);
  pbuf_free(p);
  return ERR_OK;
}

static err_t discard(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err) {
  if (p == NULL)
    return finish(pcb);
  tcp_recved(pcb, p->tot_len);
  pbuf_free(p);
  return ERR_OK;
}

// fill writes what fits. The pattern never changes, so nothing is copied.
static err_t fill(void *arg, struct tcp_pcb *pcb, u16_t acked) {
  while (tcp_sndbuf(pcb) >= as_many && tcp_write(pcb, pattern, as_many, 0) == ERR_OK)
    ;
  return ERR_OK;
}

// stop ends chargen, which has always more to send.
static err_t stop(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t err) {
  if (p != NULL)
    return discard(arg, pcb, p, err);
  tcp_abort(pcb);
  return ERR_ABRT;
}

static err_t accepted(void *recv, struct tcp_pcb *pcb, err_t err) {
  tcp_nagle_disable(pcb);
  tcp_recv(pcb, recv);
  if (recv == stop) {
    tcp_sent(pcb, fill);
    fill(NULL, pcb, 0);
    return tcp_output(pcb);
  }
  return ERR_OK;
}

static int serve(u16_t port, tcp_recv_fn recv) {
  struct tcp_pcb *pcb = tcp_new();
  if (pcb == NULL || tcp_bind(pcb, IP_ADDR_ANY, port) != ERR_OK || (pcb = tcp_listen(pcb)) == NULL)
    return -1;
  tcp_arg(pcb, recv);
  tcp_accept(pcb, accepted);
  return 0;
}

static void echo_datagram(void *arg, struct udp_pcb *pcb, struct pbuf *p, const ip_addr_t *addr, u16_t port) {
  udp_sendto(pcb, p, addr, port);
  pbuf_free(p);
}

int start_services(void) {
  for (int i = 0; i < as_many; i++)
    pattern[i] = ' ' + i % 95;
  struct udp_pcb *pcb = udp_new();
  if (pcb == NULL || udp_bind(pcb, IP_ADDR_ANY, ECHO_PORT) != ERR_OK)
    return -1;
  udp_recv(pcb, echo_datagram, NULL);
  return serve(ECHO_PORT, echo) || serve(DISCARD_PORT, discard) || serve(CHARGEN_PORT, stop) || serve(HOLD_PORT, discard);
}
