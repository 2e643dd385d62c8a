"""The statements behind the list of people and the page of one."""

PAGE_SIZE = 50

# $1 search key, $2 typed text for addresses, $3 groups or NULL for all, $4 group, $5 partner. A
# group that is not among $3 finds nobody, or a lead would learn which others somebody is in.
_FROM = """
FROM person p
LEFT JOIN LATERAL (SELECT organisation_id, role_title FROM affiliation
    WHERE person_id = p.id AND to_on IS NULL ORDER BY from_on DESC, id LIMIT 1) a ON true
LEFT JOIN organisation o ON o.id = a.organisation_id
WHERE p.anonymised_at IS NULL AND (p.ended_on IS NOT NULL) = $6
    AND ($1 = '' OR p.sort_key LIKE '%' || $1 || '%' OR o.sort_key LIKE '%' || $1 || '%'
        OR ($2 <> '' AND p.email_normal LIKE '%' || $2 || '%'))
    AND ($3::uuid[] IS NULL OR EXISTS (SELECT FROM membership s WHERE s.person_id = p.id
        AND s.group_id = ANY ($3) AND s.to_on IS NULL))
    AND ($4::uuid IS NULL OR EXISTS (SELECT FROM membership s WHERE s.person_id = p.id
        AND s.group_id = $4 AND ($3 IS NULL OR $4 = ANY ($3)) AND s.to_on IS NULL))
    AND ($5::uuid IS NULL OR a.organisation_id = $5)
    AND (NOT $7 OR p.email IS NULL)
"""
COUNT = f"SELECT count(*) {_FROM}"
LIST = f"""
SELECT p.id, p.full_name, p.email, coalesce(o.name, '') AS partner,
    coalesce(a.role_title, '') AS role_title, p.ended_on,
    ARRAY(SELECT coalesce(nullif(g.short_name, ''), g.name)
        FROM membership s JOIN working_group g ON g.id = s.group_id
        WHERE s.person_id = p.id AND s.to_on IS NULL AND ($3::uuid[] IS NULL OR g.id = ANY ($3))
        ORDER BY g.position, g.name) AS groups
{_FROM}
ORDER BY p.sort_key, p.id LIMIT {PAGE_SIZE} OFFSET $8
"""
PERSON = """
SELECT p.*, a.organisation_id AS partner_id, coalesce(o.name, '') AS partner,
    coalesce(a.role_title, '') AS role_title
FROM person p
LEFT JOIN LATERAL (SELECT organisation_id, role_title FROM affiliation
    WHERE person_id = p.id AND to_on IS NULL ORDER BY from_on DESC, id LIMIT 1) a ON true
LEFT JOIN organisation o ON o.id = a.organisation_id
WHERE p.id = $1 AND p.anonymised_at IS NULL
"""
PERIODS = """
SELECT g.name, g.id AS group_id, s.from_on, s.to_on
FROM membership s JOIN working_group g ON g.id = s.group_id
WHERE s.person_id = $1 ORDER BY s.to_on IS NOT NULL, g.position, s.from_on DESC
"""
BELONGINGS = """
SELECT o.name, a.role_title, a.from_on, a.to_on
FROM affiliation a JOIN organisation o ON o.id = a.organisation_id
WHERE a.person_id = $1 ORDER BY a.to_on IS NOT NULL, a.from_on DESC
"""
FORMER = """
SELECT email_normal, until_at FROM former_address WHERE person_id = $1 ORDER BY until_at DESC
"""
SHARED = """
SELECT id, full_name FROM person
WHERE email_normal = $1 AND id <> $2 AND ended_on IS NULL AND anonymised_at IS NULL
ORDER BY sort_key
"""
