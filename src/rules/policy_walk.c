/* The entry's patterns stand in a trie over whole segments, with the literal segment and the whole-segment `*` as edges; what goes on with
 * a glob or `**` hangs as a tail on its node. Walking down a path visits at most two children a node, and a node at most once. */
#include "rules/policy_walk.h"

#include "base/must.h"
#include "rules/policy_path.h"

struct walk {
	const struct policy *p;
	const uint32_t *before;
	policy_walk_fn *found;
	void *owner;
};

static uint32_t edge_find(const struct walk *w, const struct blob_node *n, struct bytes segment)
{
	const struct blob_edge *edges =
		(const struct blob_edge *)blob_at(w->p, BLOB_EDGES) + n->edges.first;
	uint32_t low = 0, high = n->edges.n;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		int c = bytes_cmp(segment, blob_text(w->p, edges[mid].segment));

		if (c == 0)
			return n->first_child + mid;
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return BLOB_NONE;
}

struct stop {
	uint32_t node;
	size_t off; /* where the next segment starts; past the path's end + 1: the path is used up */
};

static void walk_node(const struct walk *w, const struct blob_node *n, bool done, struct bytes rest)
{
	const uint32_t *ends = (const uint32_t *)blob_at(w->p, BLOB_ENDS) + n->ends.first;
	const struct blob_tail *tails =
		(const struct blob_tail *)blob_at(w->p, BLOB_TAILS) + n->tails.first;

	if (done) {
		for (uint32_t i = 0; i < n->ends.n; i++)
			w->found(w->owner, ends[i]);
		return;
	}
	for (uint32_t i = 0; i < n->tails.n; i++)
		if (tails[i].rule < *w->before &&
		    policy_path_match_tail(blob_text(w->p, tails[i].pattern), rest))
			w->found(w->owner, tails[i].rule);
}

void policy_walk(const struct policy *p, const struct blob_entry *e, struct bytes path, const uint32_t *before, policy_walk_fn *found, void *owner)
{
	const struct walk walk = { .p = p, .before = before, .found = found, .owner = owner }, *w = &walk;
	const struct blob_node *nodes = blob_at(p, BLOB_NODES);
	/* each node pops one stop and pushes two at most, so a walk of depth d holds d + 1 */
	struct stop stack[POLICY_PATH_SEGMENTS_MAX + 2];
	unsigned n = 0;

	if (e->root == BLOB_NONE || path.len == 0 || path.p[0] != '/')
		return;
	stack[n++] = (struct stop){ .node = e->root, .off = 1 };
	while (n > 0) {
		struct stop at = stack[--n];
		const struct blob_node *node = &nodes[at.node];
		bool done = at.off > path.len;
		struct bytes rest = done ? bytes_of(NULL, 0) : bytes_skip(path, at.off);
		struct bytes segment = bytes_of(rest.p, bytes_find(rest, '/'));
		uint32_t child;

		walk_node(w, node, done, rest);
		if (done)
			continue;
		child = edge_find(w, node, segment);
		must(n + 2 <= sizeof(stack) / sizeof(stack[0]));
		if (node->any_child != BLOB_NONE && segment.len > 0)
			stack[n++] = (struct stop){ .node = node->any_child,
						    .off = at.off + segment.len + 1 };
		if (child != BLOB_NONE)
			stack[n++] =
				(struct stop){ .node = child, .off = at.off + segment.len + 1 };
	}
}
