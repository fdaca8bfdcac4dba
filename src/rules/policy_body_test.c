#include "rules/policy_test_kit.h"
