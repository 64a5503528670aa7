/* zmq_poll, zmq_ppoll, the poller, and the descriptor that event loops watch. */
#include "check.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>

static void *context, *push, *pull;

static int readable(int fd)
{
    struct pollfd entry = {fd, POLLIN, 0};
    return poll(&entry, 1, 0) == 1;
}

static void arrays(void)
{
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    zmq_pollitem_t items[] = {
        {pull, 0, ZMQ_POLLIN, -1},
        {push, 0, ZMQ_POLLOUT, -1},
        {NULL, pipes[0], ZMQ_POLLIN, -1},
        {NULL, pipes[1], ZMQ_POLLOUT, -1},
        {pull, 0, ZMQ_POLLOUT, -1},
        {pull, 0, 0, -1},
        {NULL, -1, ZMQ_POLLIN, -1},
    };
    CHECK(zmq_poll(items, 7, 0) == 2);
    CHECK(items[0].revents == 0 && items[1].revents == ZMQ_POLLOUT && items[2].revents == 0);
    CHECK(items[3].revents == ZMQ_POLLOUT && items[4].revents == 0 && items[5].revents == 0);
    CHECK(items[6].revents == 0);
    SENDS(push, "x", 0);
    items[1].events = items[3].events = 0;
    CHECK(zmq_poll(items, 7, -1) == 1);
    CHECK(items[0].revents == ZMQ_POLLIN);
    RECEIVES(pull, "x");
    CHECK(write(pipes[1], "y", 1) == 1);
    CHECK(zmq_poll(items, 7, -1) == 1);
    CHECK(items[2].revents == ZMQ_POLLIN);
    close(pipes[0]);
    items[3].events = ZMQ_POLLOUT;
    CHECK(zmq_poll(&items[3], 1, -1) == 1);
    CHECK(items[3].revents & ZMQ_POLLERR);
    close(pipes[1]);
    /* A descriptor that is none. */
    CHECK(zmq_poll(&items[3], 1, -1) == 1);
    CHECK(items[3].revents == ZMQ_POLLERR);
    CHECK(zmq_poll(NULL, 0, 1) == 0);
    CHECK(zmq_poll(items, 2, 1) == 0);
}

static volatile sig_atomic_t signals;

static void on_signal(int number)
{
    (void) number;
    signals++;
}

/* A blocked signal is let in by the mask of the call, and ends it. */
static void masked(void)
{
    sigset_t blocked, before;
    struct sigaction action = {0};
    action.sa_handler = on_signal;
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGUSR1);
    CHECK(pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);
    CHECK(pthread_kill(pthread_self(), SIGUSR1) == 0);
    zmq_pollitem_t item = {pull, 0, ZMQ_POLLIN, 0};
    CHECK(zmq_poll(&item, 1, 1) == 0);
    CHECK(signals == 0);
    FAILS(zmq_ppoll(&item, 1, -1, &before), EINTR);
    CHECK(signals == 1);
    CHECK(zmq_ppoll(&item, 1, 1, NULL) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
}

static pthread_t main_thread;

static void interrupt(void *unused)
{
    (void) unused;
    /* Until it has ended the wait; one that comes before the wait begins ends nothing. */
    while (signals < 1000) {
        pthread_kill(main_thread, SIGUSR1);
        usleep(1000);
    }
}

/* A signal ends every wait. */
static void interrupted(void)
{
    char byte;
    zmq_pollitem_t item = {pull, 0, ZMQ_POLLIN, 0};
    void *full = zmq_socket(context, ZMQ_PUSH);
    main_thread = pthread_self();
    for (int i = 0; i < 4; i++) {
        signals = 0;
        void *thread = zmq_threadstart(interrupt, NULL);
        if (i == 0)
            FAILS(zmq_recv(pull, &byte, 1, 0), EINTR);
        else if (i == 1)
            FAILS(zmq_poll(&item, 1, -1), EINTR);
        else if (i == 2)
            FAILS(zmq_send(full, "x", 1, 0), EINTR);
        else {
            get_int(pull, ZMQ_FD);
            FAILS(zmq_recv(pull, &byte, 1, 0), EINTR);
        }
        signals = 1000;
        zmq_threadclose(thread);
    }
    CHECK(zmq_close(full) == 0);
}

static void poller(void)
{
    int pipes[2], fd = -1, tag;
    zmq_poller_event_t event, events[4];
    CHECK(pipe(pipes) == 0);
    void *poller = zmq_poller_new();
    CHECK(zmq_poller_size(poller) == 0);
    FAILS(zmq_poller_wait(poller, &event, -1), EFAULT);
    CHECK(zmq_poller_add(poller, pull, &tag, ZMQ_POLLIN) == 0);
    FAILS(zmq_poller_add(poller, pull, NULL, ZMQ_POLLIN), EINVAL);
    FAILS(zmq_poller_add(poller, push, NULL, 64), EINVAL);
    FAILS(zmq_poller_add(poller, NULL, NULL, ZMQ_POLLIN), ENOTSOCK);
    FAILS(zmq_poller_add_fd(poller, -1, NULL, ZMQ_POLLIN), EBADF);
    FAILS(zmq_poller_modify(poller, push, ZMQ_POLLIN), EINVAL);
    FAILS(zmq_poller_remove(poller, push), EINVAL);
    FAILS(zmq_poller_remove_fd(poller, pipes[0]), EINVAL);
    FAILS(zmq_poller_fd(poller, &fd), EINVAL);
    CHECK(zmq_poller_add_fd(poller, pipes[0], pipes, ZMQ_POLLIN) == 0);
    CHECK(zmq_poller_size(poller) == 2);
    FAILS(zmq_poller_wait(poller, &event, 0), EAGAIN);
    CHECK(event.socket == NULL && event.events == 0);
    FAILS(zmq_poller_wait_all(poller, events, -1, 0), EINVAL);
    FAILS(zmq_poller_wait_all(poller, NULL, 1, 0), EFAULT);
    SENDS(push, "x", 0);
    CHECK(zmq_poller_wait(poller, &event, -1) == 0);
    CHECK(event.socket == pull && event.user_data == &tag && event.events == ZMQ_POLLIN);
    CHECK(write(pipes[1], "y", 1) == 1);
    CHECK(zmq_poller_wait_all(poller, events, 4, -1) == 2);
    CHECK(events[1].socket == NULL && events[1].fd == pipes[0] && events[1].user_data == pipes);
    CHECK(zmq_poller_wait_all(poller, events, 1, -1) == 1);
    RECEIVES(pull, "x");
    CHECK(zmq_poller_modify_fd(poller, pipes[0], 0) == 0);
    CHECK(zmq_poller_modify(poller, pull, 0) == 0);
    FAILS(zmq_poller_wait(poller, &event, -1), EFAULT);
    CHECK(zmq_poller_remove(poller, pull) == 0);
    CHECK(zmq_poller_remove_fd(poller, pipes[0]) == 0);
    CHECK(zmq_poller_size(poller) == 0);
    CHECK(zmq_poller_destroy(&poller) == 0);
    close(pipes[0]);
    close(pipes[1]);
}

#define COUNT 20000

static void produce(void *socket)
{
    for (int i = 0; i < COUNT; i++) {
        CHECK(zmq_send(socket, &i, sizeof i, 0) == sizeof i);
        if (i % 97 == 0)
            usleep(10);
    }
    CHECK(zmq_close(socket) == 0);
}

/* An edge-triggered loop with no time limit: a missed edge hangs the test. */
static void edges(const char *endpoint)
{
    void *in = zmq_socket(context, ZMQ_PULL);
    void *out = zmq_socket(context, ZMQ_PUSH);
    if (!endpoint)
        meet(in, out);
    else {
        CHECK(zmq_bind(in, endpoint) == 0);
        CHECK(zmq_connect(out, endpoint) == 0);
    }
    int loop = epoll_create1(0);
    int fd = get_int(in, ZMQ_FD);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    CHECK(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0);
    void *thread = zmq_threadstart(produce, out);
    int expected = 0;
    while (expected < COUNT) {
        while (get_int(in, ZMQ_EVENTS) & ZMQ_POLLIN) {
            int got = -1;
            CHECK(zmq_recv(in, &got, sizeof got, ZMQ_DONTWAIT) == sizeof got);
            CHECK(got == expected);
            expected++;
        }
        if (expected < COUNT && epoll_wait(loop, &event, 1, -1) < 0)
            CHECK(errno == EINTR);
    }
    zmq_threadclose(thread);
    close(loop);
    CHECK(zmq_close(in) == 0);
}

/* The descriptor is silent when there is nothing to look at, also under a level-triggered loop. */
static void quiet(void)
{
    int fd = get_int(pull, ZMQ_FD);
    CHECK(get_int(pull, ZMQ_FD) == fd);
    while (get_int(pull, ZMQ_EVENTS) != 0)
        ;
    CHECK(!readable(fd));
    SENDS(push, "x", 0);
    struct pollfd entry = {fd, POLLIN, 0};
    CHECK(poll(&entry, 1, -1) == 1);
    while (!(get_int(pull, ZMQ_EVENTS) & ZMQ_POLLIN))
        CHECK(poll(&entry, 1, -1) == 1);
    get_int(pull, ZMQ_EVENTS);
    CHECK(!readable(fd));
    RECEIVES(pull, "x");
    CHECK(get_int(pull, ZMQ_EVENTS) == 0);
    CHECK(!readable(fd));
}

/* A socket's own descriptor beside the socket: both are told of what wakes it. */
static void both(void)
{
    void *in = zmq_socket(context, ZMQ_PULL);
    void *out = zmq_socket(context, ZMQ_PUSH);
    CHECK(zmq_bind(in, "inproc://both") == 0);
    int fd = get_int(in, ZMQ_FD);
    get_int(in, ZMQ_EVENTS);
    CHECK(zmq_connect(out, "inproc://both") == 0);
    /* A new connection is news, and no message. */
    zmq_pollitem_t items[] = {{in, 0, ZMQ_POLLIN, 0}, {NULL, fd, ZMQ_POLLIN, 0}};
    CHECK(zmq_poll(items, 2, -1) == 1);
    CHECK(items[0].revents == 0 && items[1].revents == ZMQ_POLLIN);
    CHECK(zmq_close(in) == 0);
    CHECK(zmq_close(out) == 0);
}

int main(void)
{
    context = zmq_ctx_new();
    push = zmq_socket(context, ZMQ_PUSH);
    pull = zmq_socket(context, ZMQ_PULL);
    meet(pull, push);
    SENDS(push, "first", 0);
    RECEIVES(pull, "first");
    arrays();
    masked();
    poller();
    interrupted();
    quiet();
    both();
    /* Everything again with a socket whose descriptor is watched. */
    arrays();
    poller();
    char local[64];
    snprintf(local, sizeof local, "ipc://@polling-%d", (int) getpid());
    edges("inproc://edges");
    edges(NULL);
    edges(local);
    CHECK(zmq_close(push) == 0);
    CHECK(zmq_close(pull) == 0);
    CHECK(zmq_ctx_term(context) == 0);
    return 0;
}
