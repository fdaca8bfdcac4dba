/* Converts a policy file of the OpenShell runtime: never to something wider, and with every settled difference listed. */
#ifndef SAW_RULES_OPENSHELL_IMPORT_H
#define SAW_RULES_OPENSHELL_IMPORT_H

#include "base/buf.h"
#include "rules/policy_problem.h"

struct openshell_options {
	/* Drop lists of programs: the gateway cannot tell the processes of a machine apart, so any may use what an entry grants. */
	bool any_process;
	/* Drop the filesystem, landlock and process sections, which nothing of this version enforces. */
	bool network_only;
};

/* Writes a policy of ours to `out`, with warnings for each difference that was settled; or false, with errors for what cannot be said
 * in our language without changing what it means. The text still goes through policy_compile(), which has the last word. */
bool openshell_import(struct bytes text, const struct openshell_options *options, struct buf *out,
		      struct policy_problems *problems);

#endif
