// the report
