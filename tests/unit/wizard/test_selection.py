"""A base with exceptions says the same as a list of everybody."""

from hypothesis import given
from hypothesis import strategies as st

from services.wizard.domain.selection import Choices, selected_count, user_selected

CUSTOMERS = ["a", "b", "c"]
USERS = ["1", "2", "3", "4"]
PAIRS = [(customer, user) for customer in CUSTOMERS for user in USERS]
CHOICES = st.builds(
    Choices,
    st.booleans(),
    st.booleans(),
    st.dictionaries(st.sampled_from(CUSTOMERS), st.booleans()),
    st.dictionaries(st.sampled_from(CUSTOMERS), st.booleans()),
    st.dictionaries(st.sampled_from(PAIRS), st.booleans()),
)


@given(CHOICES, st.sets(st.sampled_from(PAIRS)))
def test_counting_by_exceptions_equals_counting_everybody(choices: Choices, on_plan: set[tuple[str, str]]) -> None:
    brute_force = {pair for pair in on_plan if choices.selects(*pair)}
    by_exceptions = 0
    for customer in CUSTOMERS:
        excepted = [choices.users[pair] for pair in on_plan if pair[0] == customer and pair in choices.users]
        by_exceptions += selected_count(
            users=sum(1 for pair in on_plan if pair[0] == customer),
            in_scope=choices.in_scope(customer),
            whole=choices.whole(customer),
            listed_in=excepted.count(True),
            listed_out=excepted.count(False),
        )
    assert by_exceptions == len(brute_force)


def test_nobody_of_a_customer_out_of_scope_is_selected() -> None:
    assert not user_selected(in_scope=False, whole=True, exception=True)


def test_a_users_own_check_box_is_stronger_than_its_customers() -> None:
    choices = Choices(customers_base=True, users_base=True, users_of={"a": False}, users={("a", "1"): True})
    assert choices.selects("a", "1")
    assert not choices.selects("a", "2")
    assert choices.selects("b", "1")
