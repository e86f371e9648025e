"""Whom nobody may call: contacts that have opted out of calls."""


def has_opted_out(account_id: str, phone_number: str) -> str:
    """Write the SQL that tells whether anybody with a number has opted out: then nobody calls it.

    Account and number are SQL too, in which `p` and `k` mean nothing. The number is looked up by
    its index, whatever statement this stands in.
    """
    return (
        "EXISTS (SELECT FROM contact_phone_numbers p JOIN contacts k ON k.id = p.contact_id"
        f" WHERE p.account_id = {account_id} AND p.phone_number = {phone_number}"
        " AND k.deleted_at IS NULL AND k.opted_out)"
    )
