/* Listening sockets that the program made itself (ZMQ_USE_FD), the state of peers, and the depth of queues. */
#define _GNU_SOURCE
#include "check.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

static void *context;

/* A socket that listens, and the endpoint where it does. */
static int listener(int family, char *endpoint, size_t size)
{
    int fd = socket(family, SOCK_STREAM, 0);
    CHECK(fd >= 0);
    if (family == AF_INET) {
        struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t len = sizeof address;
        CHECK(bind(fd, (struct sockaddr *) &address, len) == 0);
        CHECK(getsockname(fd, (struct sockaddr *) &address, &len) == 0);
        snprintf(endpoint, size, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    } else {
        struct sockaddr_un address = {.sun_family = AF_UNIX};
        snprintf(address.sun_path, sizeof address.sun_path, "/tmp/ringmq-adoption-%d", (int) getpid());
        unlink(address.sun_path);
        CHECK(bind(fd, (struct sockaddr *) &address, sizeof address) == 0);
        snprintf(endpoint, size, "ipc://%s", address.sun_path);
    }
    CHECK(listen(fd, 10) == 0);
    return fd;
}

static void adopted(int family)
{
    char endpoint[256], told[256];
    size_t size = sizeof told;
    int fd = listener(family, endpoint, sizeof endpoint);
    void *pull = zmq_socket(context, ZMQ_PULL);
    void *push = zmq_socket(context, ZMQ_PUSH);
    CHECK(get_int(pull, ZMQ_USE_FD) == -1);
    set_int(pull, ZMQ_USE_FD, fd);
    CHECK(get_int(pull, ZMQ_USE_FD) == fd);
    /* The address is that of the descriptor. */
    CHECK(zmq_bind(pull, family == AF_INET ? "tcp://127.0.0.1:*" : "ipc:///nowhere") == 0);
    CHECK(zmq_getsockopt(pull, ZMQ_LAST_ENDPOINT, told, &size) == 0);
    CHECK(strcmp(told, endpoint) == 0);
    CHECK(zmq_connect(push, endpoint) == 0);
    SENDS(push, "through it", 0);
    RECEIVES(pull, "through it");
    CHECK(zmq_unbind(pull, endpoint) == 0);
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(pull) == 0);
    if (family == AF_UNIX) {
        /* The file was not the library's, and stays. */
        CHECK(access(endpoint + strlen("ipc://"), F_OK) == 0);
        unlink(endpoint + strlen("ipc://"));
    }
}

/* Files of ipc endpoints are as open as the process wants. */
static void modes(void)
{
    char path[64], endpoint[80];
    struct stat file;
    snprintf(path, sizeof path, "/tmp/ringmq-modes-%d", (int) getpid());
    snprintf(endpoint, sizeof endpoint, "ipc://%s", path);
    mode_t before = umask(027);
    void *pull = zmq_socket(context, ZMQ_PULL);
    CHECK(zmq_bind(pull, endpoint) == 0);
    CHECK(stat(path, &file) == 0 && (file.st_mode & 0777) == 0750);
    CHECK(zmq_close(pull) == 0);
    umask(before);
}

static void not_adopted(void)
{
    void *pull = zmq_socket(context, ZMQ_PULL);
    int value = -2;
    FAILS(zmq_setsockopt(pull, ZMQ_USE_FD, &value, sizeof value), EINVAL);
    set_int(pull, ZMQ_USE_FD, 1000);
    FAILS(zmq_bind(pull, "tcp://127.0.0.1:*"), EBADF);
    set_int(pull, ZMQ_USE_FD, STDIN_FILENO);
    FAILS(zmq_bind(pull, "tcp://127.0.0.1:*"), ENOTSOCK);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    set_int(pull, ZMQ_USE_FD, fd);
    FAILS(zmq_bind(pull, "tcp://127.0.0.1:*"), EINVAL);
    CHECK(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    set_int(pull, ZMQ_USE_FD, -1);
    CHECK(zmq_bind(pull, "tcp://127.0.0.1:*") == 0);
    CHECK(zmq_close(pull) == 0);
}

static void states(void)
{
    void *router = zmq_socket(context, ZMQ_ROUTER);
    void *dealer = zmq_socket(context, ZMQ_DEALER);
    FAILS(zmq_socket_get_peer_state(dealer, "x", 1), ENOTSUP);
    FAILS(zmq_socket_get_peer_state(router, "x", 1), EHOSTUNREACH);
    FAILS(zmq_socket_get_peer_state(router, NULL, 0), EHOSTUNREACH);
    set_int(router, ZMQ_SNDHWM, 1);
    set_int(dealer, ZMQ_RCVHWM, 1);
    set_int(router, ZMQ_ROUTER_MANDATORY, 1);
    CHECK(zmq_setsockopt(dealer, ZMQ_ROUTING_ID, "me", 2) == 0);
    CHECK(zmq_bind(router, "inproc://states") == 0);
    CHECK(zmq_connect(dealer, "inproc://states") == 0);
    CHECK(zmq_socket_get_peer_state(router, "me", 2) == ZMQ_POLLOUT);
    /* The marks of both sides. */
    for (int i = 0; i < 2; i++) {
        SENDS(router, "me", ZMQ_SNDMORE);
        SENDS(router, "x", 0);
    }
    CHECK(zmq_socket_get_peer_state(router, "me", 2) == 0);
    RECEIVES(dealer, "x");
    RECEIVES(dealer, "x");
    CHECK(zmq_socket_get_peer_state(router, "me", 2) == ZMQ_POLLOUT);
    CHECK(zmq_close(router) == 0);
    CHECK(zmq_close(dealer) == 0);
}

static uint64_t number(void *monitor)
{
    uint64_t value;
    CHECK(zmq_recv(monitor, &value, sizeof value, 0) == sizeof value);
    return value;
}

static void depths(void)
{
    void *push = zmq_socket(context, ZMQ_PUSH);
    void *monitor = zmq_socket(context, ZMQ_PAIR);
    FAILS(zmq_socket_monitor_pipes_stats(push), EINVAL);
    CHECK(zmq_socket_monitor_versioned(push, "inproc://depths", ZMQ_EVENT_ALL, 2, ZMQ_PAIR) == 0);
    FAILS(zmq_socket_monitor_pipes_stats(push), EINVAL);
    FAILS(zmq_socket_monitor_versioned(push, "inproc://depths", ZMQ_EVENT_PIPES_STATS, 1, ZMQ_PAIR), EINVAL);
    CHECK(zmq_socket_monitor_versioned(push, "inproc://depths", ZMQ_EVENT_PIPES_STATS, 2, ZMQ_PAIR) == 0);
    CHECK(zmq_connect(monitor, "inproc://depths") == 0);
    FAILS(zmq_socket_monitor_pipes_stats(push), EAGAIN);
    /* Nobody is there, so all of them wait. */
    CHECK(zmq_connect(push, "tcp://127.0.0.1:1") == 0);
    for (int i = 0; i < 3; i++)
        SENDS(push, "x", 0);
    set_int(push, ZMQ_LINGER, 0);
    CHECK(zmq_socket_monitor_pipes_stats(push) == 0);
    CHECK(number(monitor) == ZMQ_EVENT_PIPES_STATS);
    CHECK(number(monitor) == 2);
    CHECK(number(monitor) == 3);
    CHECK(number(monitor) == 0);
    RECEIVES(monitor, "");
    RECEIVES(monitor, "tcp://127.0.0.1:1");
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(monitor) == 0);
}

int main(void)
{
    context = zmq_ctx_new();
    adopted(AF_INET);
    adopted(AF_UNIX);
    not_adopted();
    modes();
    states();
    depths();
    CHECK(zmq_ctx_term(context) == 0);
    return 0;
}
