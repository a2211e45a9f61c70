-- The panel of panel.py as an analyst would write it by hand: one scan a table where that is possible.
WITH acts AS (
    SELECT person_id AS entity_id, date_trunc('week', occurred_at) AS week,
        count(*) FILTER (kind = 'visit') AS visits, count(*) FILTER (kind = 'call') AS calls,
        count(*) FILTER (kind = 'message') AS messages, count(*) FILTER (kind = 'meeting') AS meetings,
        count(*) FILTER (kind = 'demo') AS demos, count(DISTINCT account_id) AS accounts, count(*) AS n
    FROM '{folder}/activities.parquet' GROUP BY ALL
),
response AS (
    SELECT owner_id AS entity_id, date_trunc('week', created_at) AS week,
        median(round((epoch(answered_at)::BIGINT - epoch(created_at)::BIGINT) / 3600.0, 6)) AS hours, count(*) AS n
    FROM '{folder}/opportunities.parquet' JOIN (
        SELECT opportunity_id, min(occurred_at) AS answered_at FROM '{folder}/activities.parquet' GROUP BY ALL
    ) USING (opportunity_id) WHERE answered_at >= created_at GROUP BY ALL
),
deals AS (
    SELECT owner_id AS entity_id, date_trunc('week', closed_at) AS week, sum(amount) FILTER (outcome = 'won') AS amount,
        count(*) FILTER (outcome = 'won') AS won, count(*) AS n,
        median(round((epoch(closed_at)::BIGINT - epoch(created_at)::BIGINT) / 86400.0, 6)) FILTER (outcome = 'won') AS days
    FROM '{folder}/opportunities.parquet' WHERE outcome IN ('won', 'lost') GROUP BY ALL
),
moves AS (
    SELECT opportunity_id, owner_id, entered_at, closed_at,
        lead(entered_at) OVER (PARTITION BY opportunity_id ORDER BY entered_at) AS next_at
    FROM '{folder}/stage_changes.parquet' JOIN '{folder}/opportunities.parquet' USING (opportunity_id)
),
stages AS (
    SELECT owner_id AS entity_id, date_trunc('week', entered_at) AS week, count(*) AS n,
        count(*) FILTER (next_at <= entered_at + INTERVAL 30 DAY) AS moved
    FROM moves WHERE date_trunc('day', entered_at) <= DATE '{until}' - 30 GROUP BY ALL
),
standing AS (
    SELECT owner_id, date_trunc('day', entered_at + INTERVAL 30 DAY) AS comes,
        date_trunc('day', least(coalesce(next_at, closed_at), closed_at)) AS goes, 1 AS stale, 0 AS total FROM moves
    UNION ALL SELECT owner_id, date_trunc('day', created_at), date_trunc('day', closed_at), 0, 1
    FROM '{folder}/opportunities.parquet'
),
changes AS (
    SELECT owner_id AS entity_id, comes AS day, stale, total FROM standing WHERE goes IS NULL OR goes > comes
    UNION ALL SELECT owner_id, goes, -stale, -total FROM standing WHERE goes > comes
),
weekly AS (
    SELECT entity_id, date_trunc('week', day) AS week, sum(stale) AS stale, sum(total) AS total FROM changes
    WHERE day <= DATE '{until}' GROUP BY ALL
),
grid AS (
    SELECT person_id AS entity_id, week FROM '{folder}/people.parquet',
        range(TIMESTAMP '{since}', TIMESTAMP '{until}' + INTERVAL 1 DAY, INTERVAL 7 DAY) weeks(week)
),
stalled AS (
    SELECT entity_id, week, sum(stale) OVER so_far AS stale, sum(total) OVER so_far AS total
    FROM grid LEFT JOIN weekly USING (entity_id, week)
    WINDOW so_far AS (PARTITION BY entity_id ORDER BY week)
),
long AS (
    SELECT entity_id, week, kpi, numerator, NULL AS denominator, numerator AS n
    FROM (SELECT * EXCLUDE (accounts, n) FROM acts) UNPIVOT (numerator FOR kpi IN (visits, calls, messages, meetings, demos))
    UNION ALL SELECT entity_id, week, 'accounts', accounts, NULL, n FROM acts
    UNION ALL SELECT entity_id, week, 'response_hours', hours, NULL, n FROM response
    UNION ALL SELECT entity_id, week, 'won_amount', amount, NULL, won FROM deals
    UNION ALL SELECT entity_id, week, 'win_rate', won, n, n FROM deals
    UNION ALL SELECT entity_id, week, 'cycle_days', days, NULL, won FROM deals
    UNION ALL SELECT entity_id, week, 'stage_conversion', moved, n, n FROM stages
    UNION ALL SELECT entity_id, week, 'stalled_share', stale, total, total FROM stalled
)
SELECT 'person' AS level, entity_id, strftime(week, '%G-W%V') AS period, kpi,
    CASE WHEN status = 'ok' THEN CASE WHEN is_ratio THEN numerator / denominator ELSE numerator END END AS value,
    numerator::DOUBLE AS numerator, denominator::DOUBLE AS denominator, coalesce(n, 0)::DOUBLE AS n, status,
    5.0 AS working_days
FROM (
    SELECT grid.*, kpis.*, numerator, denominator, n, CASE
        WHEN is_ratio AND NOT coalesce(denominator, 0) > 0 THEN 'no_cases'
        WHEN is_ratio AND n < 5 THEN 'too_few' ELSE 'ok' END AS status
    FROM grid CROSS JOIN (VALUES
        ('visits', false), ('calls', false), ('messages', false), ('meetings', false), ('demos', false),
        ('accounts', false), ('response_hours', false), ('won_amount', false), ('win_rate', true),
        ('cycle_days', false), ('stage_conversion', true), ('stalled_share', true)) kpis(kpi, is_ratio)
    LEFT JOIN long USING (entity_id, week, kpi)
) ORDER BY entity_id, period, kpi
