/* How a daemon that is to stop comes to rest: it refuses work, lets accepted work end or go back to
 * the store, and its clients take their replies. Knows the order; not how anything was started. */
#include <math.h>
#include <signal.h>

#include "base/clock.h"
#include "daemon_internal.h"

/* With the default of --drain-seconds all together stay below 25 s. */
#define REPLY_GRACE_MS   5000.0 /* for all clients to take what is ready for them */
#define LAST_GRACE_MS    300.0  /* for those who came at the last moment */
#define RELEASE_GRACE_MS 2500.0 /* for workers to come back and give their jobs back */

#define END_MS 10e3 /* more than these together, and what is torn down behind them */

/* What is ahead may be more than the service manager was told when it was set up. */
static void ask_for_time(const ebmd_parts *d, double delay_s)
{
    ebmd_notify_extend(&d->notify, (delay_s + d->opt->drain_seconds) * 1e3 + END_MS);
}

/* Waits until nobody waits for a job; who only looks may do so until the end. @err false: time is
 * up, or a second signal came */
static bool wait_clients(ebmd_parts *d, double limit_ms)
{
    double until = ebmd_clock_ms() + limit_ms;
    int number;

    while (ebmd_waiters_expecting(d->app.waiters) > 0) {
        if (ebmd_sched_paused(d->app.sched) && ebmd_sched_open(d->app.sched) == 0)
            return true; /* what they wait for will not begin */
        ebmd_notify_beat(&d->notify, ebmd_clock_ms(), true);
        if (ebmd_clock_ms() >= until)
            return false;
        if (ebmd_signals_wait(&d->signals, 20, &number) == EBMD_WAKE_SIGNAL && number != SIGHUP)
            return false;
    }
    return true;
}

/* Waits until every job is given back. @err false: a worker does not come back */
static bool wait_release(ebmd_parts *d)
{
    double until = ebmd_clock_ms() + RELEASE_GRACE_MS;
    int number;

    while (ebmd_sched_open(d->app.sched) > 0 && ebmd_clock_ms() < until)
        ebmd_signals_wait(&d->signals, 20, &number);
    return ebmd_sched_open(d->app.sched) == 0;
}

static void log_drain(const ebmd_parts *d, const char *event, int number)
{
    ebmd_field fields[] = {
        {.key = "signal", .number = number},
        {.key = "jobs", .number = (double)ebmd_sched_open(d->app.sched)},
        {.key = "clients", .number = (double)ebmd_waiters_count(d->app.waiters)},
    };

    ebmd_log_event(d->app.log, EBMD_INFO, event, fields, 3);
}

static double left(double until)
{
    return fmax(0.0, until - ebmd_clock_ms());
}

/* An operator who waits for a model gets an answer. @err false: one is still parked */
static bool wait_admin(ebmd_parts *d, int number, double until)
{
    if (!d->admin)
        return true;
    if (!ebmd_http_wait_idle(d->admin, left(until)))
        log_drain(d, "clients_left", number);
    return ebmd_http_seal(d->admin);
}

/* Gives clients time to take their replies. New ones are answered meanwhile, until nobody is let in
 * any more, which has to be short before the end. @err false: a request is still parked */
static bool hang_up(ebmd_parts *d, int number, double until)
{
    if (!ebmd_http_wait_idle(d->main, left(until)))
        log_drain(d, "clients_left", number); /* slow readers lose their connection */
    ebmd_http_refuse(d->main);
    if (!ebmd_http_wait_idle(d->main, LAST_GRACE_MS))
        log_drain(d, "clients_left", number);
    return ebmd_http_seal(d->main);
}

void ebmd__daemon_leave(ebmd_parts *d, int number)
{
    double until = ebmd_clock_ms() + d->opt->drain_delay * 1e3;
    int another = 0;

    if (number != SIGTERM || d->opt->drain_delay == 0)
        return;
    ebmd_state_set(&d->state, EBMD_LEAVING);
    log_drain(d, "leaving", number);
    ask_for_time(d, d->opt->drain_delay);
    while (ebmd_clock_ms() < until && ebmd_state_get(&d->state) == EBMD_LEAVING) {
        ebmd_notify_beat(&d->notify, ebmd_clock_ms(), true);
        if (ebmd_signals_wait(&d->signals, 20, &another) == EBMD_WAKE_SIGNAL && another != SIGHUP)
            return;
    }
}

bool ebmd__daemon_drain(ebmd_parts *d, int number)
{
    double until;
    bool released;

    log_drain(d, "draining", number);
    ebmd_notify_say(&d->notify, "STOPPING=1");
    ask_for_time(d, 0);
    ebmd_state_set(&d->state, EBMD_DRAINING);
    ebmd_waiters_end_polls(d->app.waiters);
    if (ebmd_state_get(&d->state) == EBMD_DRAINING && !wait_clients(d, d->opt->drain_seconds * 1e3))
        log_drain(d, "releasing", number);
    ebmd_sched_close(d->app.sched);
    released = wait_release(d);
    ebmd_waiters_dismiss(d->app.waiters);
    ebmd_live_drain(d->app.live);
    until = ebmd_clock_ms() + REPLY_GRACE_MS;
    return released && wait_admin(d, number, until) && (!d->main || hang_up(d, number, until));
}
