"""F5: the funnel, from stages to a forecast. Records of deals and leads in, plain long DataFrames out.

- `stages.stage_model`: which stages there are, from the client file or from the order seen;
- `records.read_records`: one row a case and stage that it passed (queries on the engine that has the tables);
- `cohort.cohort_view`: what became of the cases opened in a period; `snapshot.snapshot_view`: what stands where on a
day;
- `duration.stage_curves`, `duration.stage_durations`: time in stage by survival, with winning and losing as competing
ends;
- `contact.second_contact_curve`: how soon a first visit is followed up;
- `bottleneck.worth_of_a_point`: what one point more at each step would bring in, and which step is worse than usual;
- `forecast.forecast`: the open pipeline, put right by its own past errors and tested on them.
"""
