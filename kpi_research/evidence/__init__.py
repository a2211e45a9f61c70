"""F5: does a process KPI predict a result, how sure are we, and why not."""
