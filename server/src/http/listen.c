/* Listening sockets and the descriptor budget, see listen.h. */
#define _GNU_SOURCE /* SO_ATTACH_FILTER */
#include "http/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 1024
/* What the kernel keeps for one client that does not read. Left to itself it grows that to 4 MiB,
 * and a thousand such clients hold more memory than the daemon. Most replies fit into this. */
#define SEND_BUFFER (128 * 1024)
/* The admin listener's connections, the store's and models' files, epoll sets, and some to
 * spare: at the limit the HTTP library spins until a connection closes. */
#define SPARE_FDS (64u + 64u)

/* A name would be looked up, and may lead anywhere. */
bool ebmd_address_is_loopback(const ebmd_address *a)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (inet_pton(AF_INET, a->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
    if (inet_pton(AF_INET6, a->host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(a->host, "localhost") == 0;
}

static int open_one(const struct addrinfo *ai)
{
    int on = 1, room = SEND_BUFFER;
    int fd = socket(ai->ai_family, ai->ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)); /* accepted ones inherit it */
    if (ai->ai_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    on = errno; /* close() may change it */
    close(fd);
    errno = on;
    return -1;
}

ebm_status ebmd_listen_open(const ebmd_address *address, int *fd, ebm_error *err)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    char where[96];
    int rc;

    *fd = -1;
    snprintf(where, sizeof(where), "%.80s:%s", address->host, address->port);
    rc = getaddrinfo(address->host, address->port, &hints, &list);
    if (rc != 0)
        return ebm_error_set(err, EBM_ERR_IO, where, "cannot resolve: %s", gai_strerror(rc));
    for (const struct addrinfo *ai = list; ai && *fd < 0; ai = ai->ai_next)
        *fd = open_one(ai);
    rc = errno;
    freeaddrinfo(list);
    if (*fd < 0)
        return ebm_error_set(err, EBM_ERR_IO, where, "cannot listen: %s", strerror(rc));
    return EBM_OK;
}

void ebmd_listen_refuse(int fd)
{
    struct sock_filter nothing = BPF_STMT(BPF_RET | BPF_K, 0);
    const struct sock_fprog filter = {.len = 1, .filter = &nothing};

    (void)setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));
}

unsigned ebmd_listen_affordable(unsigned wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_max == RLIM_INFINITY ||
        limit.rlim_max >= (rlim_t)wanted + SPARE_FDS)
        return wanted;
    return limit.rlim_max > SPARE_FDS ? (unsigned)(limit.rlim_max - SPARE_FDS) : 0;
}

ebm_status ebmd_listen_budget(unsigned connections, ebm_error *err)
{
    struct rlimit limit;
    rlim_t need = (rlim_t)connections + SPARE_FDS;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return ebm_error_set(err, EBM_ERR_IO, NULL, "cannot read the limit of open files");
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= need)
        return EBM_OK;
    if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= need) {
        limit.rlim_cur = need;
        if (setrlimit(RLIMIT_NOFILE, &limit) == 0)
            return EBM_OK;
    }
    return ebm_error_set(err, EBM_ERR_LIMIT, "--connections",
                         "%u connections + %u spare = %lu descriptors, the limit is %lu",
                         connections, SPARE_FDS, (unsigned long)need,
                         (unsigned long)limit.rlim_max);
}

ebm_status ebmd_listen_keep_std(ebm_error *err)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return ebm_error_set(err, EBM_ERR_IO, "/dev/null", "cannot open");
    }
    return EBM_OK;
}
