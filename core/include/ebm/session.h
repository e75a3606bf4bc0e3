/* A session: all scratch that evaluating one model on one thread needs, planned once.
 * After ebm_session_create() nothing here allocates or creates threads, or locks without a team. */
#ifndef EBM_SESSION_H
#define EBM_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ebm/model.h"
#include "ebm/status.h"
#include "ebm/team.h"

typedef struct ebm_session ebm_session;

typedef struct ebm_session_options {
    bool tangent; /* also plan buffers for ebm_session_tangent() (training) */
} ebm_session_options;

/* Bytes a session will hold; exact, allocates nothing. */
EBM_API size_t ebm_session_bytes(const ebm_model *m, const ebm_session_options *opt);

/* Creates the scratch for one thread. opt may be NULL.
 * @own keeps a reference on m; free with ebm_session_free()
 * @thread one session, one thread at a time
 * @err NOMEM, LIMIT */
EBM_API EBM_MUST_CHECK ebm_status ebm_session_create(ebm_model *m, const ebm_session_options *opt,
                                                     ebm_session **out, ebm_error *err);
EBM_API void ebm_session_free(ebm_session *s); /* NULL allowed */
EBM_API ebm_model *ebm_session_model(const ebm_session *s);

/* Lets a team do ebm_session_gradient() from now on, whenever that is faster. The bits are the
 * same.
 * @own   borrows the team, whose helpers get their scratch here
 * @thread as ebm_team_run()
 * @err   NOMEM: the session goes on as it was */
EBM_API EBM_MUST_CHECK ebm_status ebm_session_use_team(ebm_session *s, ebm_team *team,
                                                       ebm_error *err);
EBM_API void ebm_session_leave_team(ebm_session *s); /* the caller alone */

/* Evaluates the network's raw output at one level.
 * @shape x [C,H,W]
 * @unit  net units: logp = net / step2[level]
 * @range level 0..T-1
 * @eq    net(y,t) of docs/math/energy_network.md: residual network, spatial sum, time-modulated
 * head */
EBM_API float ebm_session_net(ebm_session *s, const float *x, int32_t level);

/* As above, and the gradient of net in x. @shape x, grad [C,H,W]; they may not overlap */
EBM_API float ebm_session_gradient(ebm_session *s, const float *x, int32_t level, float *grad);

/* Unnormalised log density of a finished image x_0, at the lowest level.
 * @shape x, work [C,H,W]; they may not overlap
 * @unit  nats, up to a constant of the model: comparable within one model only
 * @eq    net(scale_0 x_0, 0)/step2_0 */
EBM_API double ebm_session_logp(ebm_session *s, const float *x, float *work);

/* --- for training: the same passes, with a look at every node ----------------------------- */

/* What the backward pass shows of one node before it moves on.
 * @shape x is the node's input as the kernel reads it (activated if the node says so), dy the
 *        gradient in the node's value: maps in the layout of the kernel set. HEAD: x [C] are the
 *        spatial sums, dy [1].
 * @own   valid during the call only */
typedef struct ebm_node_view {
    int32_t node;
    int32_t level;
    bool tangent; /* x is a tangent: biases and time terms have no part in it */
    const float *x;
    const float *dy;
    float *scratch; /* enough for conv_backward_weights of this node, and [C] */
} ebm_node_view;
typedef void (*ebm_node_hook)(void *user, const ebm_node_view *view);

/* Backward pass of the last ebm_session_net() or _gradient() call, with d(net) = seed.
 * @shape grad [C,H,W] or NULL; hook may be NULL */
EBM_API void ebm_session_backward(ebm_session *s, float seed, float *grad, ebm_node_hook hook,
                                  void *user);

/* Pushes a direction through the derivative of the last pass: returns <v, grad net(x)>.
 * Afterwards ebm_session_backward_tangent() shows the hook what sums up to the gradient of
 * <v, grad net(x)> in the parameters, exactly: for every convolution the tangent of its input with
 * dy, and for a smooth activation (SILU) also the input with what reaches the value through the
 * activation's second derivative. (A piecewise linear one has none; its biases get no gradient.)
 * @shape v [C,H,W]
 * @eq    forward-over-reverse; docs/math/gradient_matching.md
 * @err   the session must have been made with opt.tangent */
EBM_API float ebm_session_tangent(ebm_session *s, const float *v);
EBM_API void ebm_session_backward_tangent(ebm_session *s, float seed, ebm_node_hook hook,
                                          void *user);

#endif
