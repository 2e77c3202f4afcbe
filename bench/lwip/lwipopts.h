// lwIP as fast as its options make it: one thread, raw callbacks, large windows. TCP_MSS and MTU come from the build.
#define NO_SYS 1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN 0
#define LWIP_SOCKET 0
#define LWIP_ARP 0
#define LWIP_ETHERNET 0
#define LWIP_STATS 0
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 // they are about the thresholds of sockets
#define LWIP_NOASSERT 1
#define LWIP_SINGLE_NETIF 1

#define MEM_ALIGNMENT 8
#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define LWIP_SUPPORT_CUSTOM_PBUF 1
#define PBUF_LINK_HLEN 0
#define PBUF_POOL_BUFSIZE 1536 // nothing here takes from this pool

#define LWIP_WND_SCALE 1
#define TCP_RCV_SCALE 7
#define TCP_WND (4 << 20)
#define TCP_SND_BUF (4 << 20)
#define TCP_SND_QUEUELEN 16384
#define TCP_QUEUE_OOSEQ 1
#define LWIP_TCP_SACK_OUT 1
#define LWIP_CHECKSUM_ON_COPY 1
