"""What both APIs offer, described from their schemas: for the page of the API and for collections.

described.py  an operation with its arguments and a request that shows it
legacy.py     each legacy call, of the registry of calls
rest.py       each endpoint of the REST API, of its OpenAPI document
snippets.py   a request in curl, PHP and Python
postman.py    operations as a Postman collection
"""
